// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"
	"strings"
	"time"

	"github.com/dtrec/dtrec/replay"
	"github.com/dtrec/dtrec/schema"
	"github.com/google/pprof/profile"
)

var _ = register(Format{"pprof", "a profile for go tool pprof: program and path as the stack", true, writePprof})

// writePprof writes a compressed profile. Each measure is a sample type, the stack is the program with the
// path below it, and the labels are pid, operation, fs, class and errno. Profiles of two kernels can be
// compared with -diff_base.
func writePprof(w io.Writer, src replay.Source, _ Options) error {
	b := &profiler{
		p:         &profile.Profile{TimeNanos: src.Header().StartUnixNs, DefaultSampleType: "calls"},
		functions: make(map[string]*profile.Location), samples: make(map[sampleKey]*profile.Sample),
		measures: Measures(),
	}
	h := src.Header()
	b.p.Comments = []string{"Linux " + replay.Printable(h.GetKernel().GetRelease()) + " " + replay.Printable(h.GetKernel().GetMachine())}
	for _, m := range b.measures {
		b.p.SampleType = append(b.p.SampleType, &profile.ValueType{Type: m.Name, Unit: m.Unit})
	}
	var first, last uint64
	err := readCalls(src, func(c *replay.PathCall) error {
		if b.add(c); first == 0 || c.At < first {
			first = c.At
		}
		last = max(last, c.At+c.Took)
		return nil
	})
	if err != nil {
		return err
	}
	b.p.DurationNanos = int64(time.Duration(last - first))
	if err := b.p.CheckValid(); err != nil {
		return err
	}
	return b.p.Write(w)
}

type profiler struct {
	p         *profile.Profile
	measures  []Measure
	functions map[string]*profile.Location // by name: a component is the same function in every path
	samples   map[sampleKey]*profile.Sample
}

type sampleKey struct {
	stack                       string
	pid                         uint32
	operation, fs, class, errno string
}

func (b *profiler) add(c *replay.PathCall) {
	frames := stack(c)
	key := sampleKey{strings.Join(frames, "/"), c.PID, c.Operation, replay.Printable(c.FSType), c.Class.String(), ""}
	if c.Failed() {
		key.errno = schema.ErrnoName(c.Errno)
	}
	if b.samples[key] == nil && len(b.samples) >= maxStacks {
		frames = []string{frames[0], otherPaths}
		key = sampleKey{stack: strings.Join(frames, "/")}
	}
	s := b.samples[key]
	if s == nil {
		s = b.sample(frames, key)
		b.samples[key] = s
		b.p.Sample = append(b.p.Sample, s)
	}
	for i, m := range b.measures {
		s.Value[i] += int64(m.value(c))
	}
}

func (b *profiler) sample(frames []string, key sampleKey) *profile.Sample {
	s := &profile.Sample{Value: make([]int64, len(b.measures)), Label: make(map[string][]string)}
	for i := len(frames) - 1; i >= 0; i-- { // the innermost frame comes first
		s.Location = append(s.Location, b.location(frames[i]))
	}
	for name, value := range map[string]string{"operation": key.operation, "fs": key.fs, "class": key.class, "errno": key.errno} {
		if value != "" {
			s.Label[name] = []string{value}
		}
	}
	if key.pid != 0 {
		s.NumLabel = map[string][]int64{"pid": {int64(key.pid)}}
	}
	return s
}

func (b *profiler) location(name string) *profile.Location {
	if l := b.functions[name]; l != nil {
		return l
	}
	f := &profile.Function{ID: uint64(len(b.p.Function) + 1), Name: name, SystemName: name}
	l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
	b.functions[name] = l
	b.p.Function, b.p.Location = append(b.p.Function, f), append(b.p.Location, l)
	return l
}
