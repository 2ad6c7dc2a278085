// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// death is the end of a dentry that a target has opened and another process kills.
type death struct {
	Name   string // name of the scene
	Path   string // path of the file
	Opener int    // process that opened the file
	Killer int    // process in whose context the dentry is killed
	Again  bool   // the opener opens the file again
}

const lifeDir = "/tmp/life"

// stage holds the processes that take part in the deaths. Only those that open files are recorded.
type stage struct {
	target *actor
	reuser *actor // recorded too; allocates dentries until an address is reused
	holder *actor // not recorded; keeps slab pages in use, so that a freed slot is handed out again
	deaths []death
	held   int
}

// lifetime records how dentries that a target has opened are killed by other processes.
func lifetime(dir string) any {
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}))
	check(os.MkdirAll(lifeDir, 0o755))
	s := &stage{target: pinned("target"), reuser: pinned("reuser"), holder: pinned("holder")}
	mortal := pinned("mortal")
	r := record("-p", fmt.Sprint(s.target.PID), "-p", fmt.Sprint(s.reuser.PID), "-p", fmt.Sprint(mortal.PID), "-o", filepath.Join(dir, "lifetime.pb"))
	s.byDropCaches()
	s.byUnlink()
	s.byRename()
	s.byUmount()
	s.byExit()
	s.byPressure()
	s.afterExit(mortal)
	s.byStranger()
	said := r.end()
	s.churn(filepath.Join(dir, "churn.pb"))
	s.overflow(filepath.Join(dir, "overflow.pb"))
	return struct {
		Deaths []death
		Said   string
	}{s.deaths, said}
}

// churn records a target that creates and removes files, few of which are in the cache at a time: on
// ext4, where the dentry of an open file dies with the last close, and on tmpfs. The ring buffer has room for
// what a virtual CPU that stands still on a busy host leaves in it: this is about the watch set.
func (s *stage) churn(trace string) {
	r := record(fewRolesArgs("-p", fmt.Sprint(s.reuser.PID), "--watch", "64", "--buffer", "64M", "-o", trace)...)
	s.reuser.do("many", "churn", lifeDir, "churn", "1000")
	s.reuser.do("many", "churn", "/dev/shm", "churn", "19000")
	r.end()
}

// overflow records a target that looks up more lasting names than the watch set has room for: a few
// before it is full, then many, then the few again.
func (s *stage) overflow(trace string) {
	dropCaches()
	r := record("--only", lifeRoles, "-p", fmt.Sprint(s.reuser.PID), "--watch", "64", "-o", trace)
	s.reuser.do("many", "miss", lifeDir, "early", "20")
	s.reuser.do("many", "miss", lifeDir, "late", "300")
	s.reuser.do("many", "miss", lifeDir, "early", "20")
	r.end()
}

// pinned starts an actor on CPU 0, as each CPU has its own slabs.
func pinned(name string) *actor {
	a := newActor(name)
	a.do("pin", "0")
	return a
}

// die makes the target open a file, among others that stay, and another process kill its dentry. Then
// the target opens the file again, and the reuser opens enough others for the address to be reused.
func (s *stage) die(name, path string, killer *actor, kill func(killer *actor)) {
	s.padding()
	s.see(path)
	s.padding()
	kill(killer)
	s.holder.do("grace")
	s.again(name, path, killer)
	s.reuser.do("many", "miss", lifeDir, name+"-reuse", "1000")
}

// see makes the target open and close a file.
func (s *stage) see(path string) {
	s.target.do("open", path)
	s.target.do("close")
}

// again makes the target open a file whose dentry the killer has killed. The file may be gone.
func (s *stage) again(name, path string, killer *actor) {
	_, _ = s.target.try("open", path)
	s.target.do("close")
	s.deaths = append(s.deaths, death{name, path, s.target.PID, killer.PID, true})
}

func (s *stage) padding() {
	s.holder.do("many", "hold", lifeDir, fmt.Sprintf("held%d-", s.held), "30")
	s.held++
}

// file creates a file and drops its dentry from the cache.
func file(name string) string {
	path := filepath.Join(lifeDir, name)
	check(os.WriteFile(path, []byte(name+"\n"), 0o644))
	dropCaches()
	return path
}

func dropCaches() {
	unix.Sync()
	for range 2 { // a dentry that was used again survives the first time
		check(os.WriteFile("/proc/sys/vm/drop_caches", []byte("2\n"), 0))
	}
}

func (s *stage) byDropCaches() {
	killer := pinned("dropper")
	s.die("drop", file("drop"), killer, dropBy)
	exit(killer)
}

func (s *stage) byUnlink() {
	path, killer := file("unlink"), pinned("unlinker")
	s.die("unlink", path, killer, func(killer *actor) {
		killer.do("open", path) // otherwise the dentry would stay, as a negative one
		killer.do("unlink", path)
		killer.do("close")
	})
	exit(killer)
}

func (s *stage) byRename() {
	path, killer := file("rename"), pinned("renamer")
	check(os.WriteFile(path+"-new", nil, 0o644))
	s.die("rename", path, killer, func(killer *actor) { killer.do("rename", path+"-new", path) })
	exit(killer)
}

func (s *stage) byUmount() {
	const dir = lifeDir + "/mount"
	check(os.MkdirAll(dir, 0o755))
	killer := pinned("umounter")
	killer.do("mount", dir, "tmpfs")
	check(os.WriteFile(dir+"/umount", nil, 0o644))
	s.die("umount", dir+"/umount", killer, func(killer *actor) { killer.do("umount", dir) })
	exit(killer)
}

// byExit has the dentry of an unlinked file killed by the exit of the last process that has the file
// open.
func (s *stage) byExit() {
	path, killer := file("exit"), pinned("exiter")
	s.padding()
	s.see(path)
	killer.do("open", path)
	killer.do("unlink", path)
	exit(killer)
	s.again("exit", path, killer)
}

// byPressure has the dentry killed by another process that reaches the memory limit of its cgroup. That
// cgroup was charged for the dentry, since the process had looked the file up first.
func (s *stage) byPressure() {
	const cgroup = "/sys/fs/cgroup/pressed"
	path, killer := file("pressure"), pinned("presser")
	check(os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory\n"), 0))
	newGroup(cgroup, killer.PID)
	check(os.WriteFile(cgroup+"/memory.max", []byte("16M\n"), 0))
	killer.do("open", path)
	killer.do("close")
	killer.do("many", "miss", lifeDir, "pressed", "2000")
	s.die("pressure", path, killer, func(killer *actor) { killer.die("hog") })
}

// afterExit has the dentry killed when the only process that opened the file has exited.
func (s *stage) afterExit(mortal *actor) {
	path, killer := file("orphan"), pinned("dropper")
	mortal.do("open", path)
	mortal.do("close")
	exit(mortal)
	dropBy(killer)
	s.deaths = append(s.deaths, death{"orphan", path, mortal.PID, killer.PID, false})
	exit(killer)
}

func dropBy(killer *actor) {
	killer.do("write", "/proc/sys/vm/drop_caches", "2")
	killer.do("write", "/proc/sys/vm/drop_caches", "2")
}

// byStranger has the address reused for a dentry that no target allocates, but that a target then
// finds.
func (s *stage) byStranger() {
	path, killer, stranger := file("stranger"), pinned("dropper"), pinned("stranger")
	stranger.do("many", "create", lifeDir, "strange", "1000")
	dropCaches()
	s.padding()
	s.see(path)
	s.padding()
	dropBy(killer)
	s.holder.do("grace")
	stranger.do("many", "look", lifeDir, "strange", "1000")
	s.reuser.do("many", "look", lifeDir, "strange", "1000")
	s.again("stranger", path, killer)
	exit(killer, stranger)
}
