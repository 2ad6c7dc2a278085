// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// death is one dentry that a target has opened and another process kills.
type death struct {
	Name   string // of the scene
	Path   string // of the file
	Opener int    // the process whose open saw it
	Killer int    // the process in whose context it dies
	Again  bool   // the opener opens it again
}

const lifeDir = "/tmp/life"

// stage is where the deaths are played: who opens is recorded, nobody else.
type stage struct {
	target *actor
	reuser *actor // recorded as well; allocates until an address comes back
	holder *actor // not recorded; keeps slab pages in use, so that a slot given back is handed out again
	deaths []death
	held   int
}

// lifetime records how dentries seen by a target are killed by others.
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

// churn has a target make and remove files that never share the cache with many others:
// on ext4, where an open file's dentry dies with the last close, and on tmpfs.
func (s *stage) churn(trace string) {
	r := record(few("-p", fmt.Sprint(s.reuser.PID), "--watch", "64", "-o", trace)...)
	s.reuser.do("many", "churn", lifeDir, "churn", "1000")
	s.reuser.do("many", "churn", "/dev/shm", "churn", "19000")
	r.end()
}

// overflow has a target see more names that stay than the watch set has room for: a few
// before it is full, many then, and the few again.
func (s *stage) overflow(trace string) {
	dropCaches()
	r := record("--only", lifeRoles, "-p", fmt.Sprint(s.reuser.PID), "--watch", "64", "-o", trace)
	s.reuser.do("many", "miss", lifeDir, "early", "20")
	s.reuser.do("many", "miss", lifeDir, "late", "300")
	s.reuser.do("many", "miss", lifeDir, "early", "20")
	r.end()
}

// pinned is an actor on cpu 0: slabs are handed out by cpu.
func pinned(name string) *actor {
	a := newActor(name)
	a.do("pin", "0")
	return a
}

// die has the target open a file, among others that stay, and another process end its dentry;
// then the target opens it again, and enough others for the address to come back.
func (s *stage) die(name, path string, killer *actor, kill func(killer *actor)) {
	s.padding()
	s.see(path)
	s.padding()
	kill(killer)
	s.holder.do("grace")
	s.again(name, path, killer)
	s.reuser.do("many", "miss", lifeDir, name+"-reuse", "1000")
}

// see has the target open a file.
func (s *stage) see(path string) {
	s.target.do("open", path)
	s.target.do("close")
}

// again has the target open a file whose dentry the killer has ended: it may be gone.
func (s *stage) again(name, path string, killer *actor) {
	_, _ = s.target.try("open", path)
	s.target.do("close")
	s.deaths = append(s.deaths, death{name, path, s.target.PID, killer.PID, true})
}

func (s *stage) padding() {
	s.holder.do("many", "hold", lifeDir, fmt.Sprintf("held%d-", s.held), "30")
	s.held++
}

// file makes a file whose dentry is not in the cache.
func file(name string) string {
	path := filepath.Join(lifeDir, name)
	check(os.WriteFile(path, []byte(name+"\n"), 0o644))
	dropCaches()
	return path
}

func dropCaches() {
	unix.Sync()
	for range 2 { // a dentry that was used again survives the first
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
		killer.do("open", path) // or the dentry would stay, negative
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

// byExit: the last to have an unlinked file open is a process that exits.
func (s *stage) byExit() {
	path, killer := file("exit"), pinned("exiter")
	s.padding()
	s.see(path)
	killer.do("open", path)
	killer.do("unlink", path)
	exit(killer)
	s.again("exit", path, killer)
}

// byPressure: another process, at its memory limit, takes back what its cgroup was
// charged for: it had found the file first.
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

// afterExit: the only process that saw it is no more.
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

// byStranger: the address comes back for a dentry that no target allocates, and a
// target comes across it.
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
