package run

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"time"

	"cowscope/actions/history"
	"cowscope/actions/output"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/symbol"

	"github.com/google/pprof/profile"
)

// Profile counts, for each stack of calls of a program, its page faults, and the bytes of memory that
// they and its system calls brought in; what the kernel brings in on its own counts with the next
// event. It is what pprof reads.
type Profile struct {
	p         *profile.Profile
	functions map[profile.Function]*profile.Function
	locations map[locationKey]*profile.Location
	mappings  map[string]*profile.Mapping
	samples   map[string]*profile.Sample // by the numbers of their locations
	began     time.Time
}

// locationKey is what makes a place one in a stack: its code, with those that were inlined there.
type locationKey struct {
	object  string
	counter uint64
}

// NewProfile is an empty profile.
func NewProfile() *Profile {
	return &Profile{p: &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: "faults", Unit: "count"}, {Type: "brought_in", Unit: "bytes"}},
		DefaultSampleType: "brought_in",
		PeriodType:        &profile.ValueType{Type: "faults", Unit: "count"}, Period: 1,
	}, functions: map[profile.Function]*profile.Function{}, locations: map[locationKey]*profile.Location{}, mappings: map[string]*profile.Mapping{},
		samples: map[string]*profile.Sample{}, began: time.Now()}
}

// Collect has what happens from now on counted.
func (r *Run) Collect(p *Profile) {
	r.profile = p
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.program.PID())); err == nil {
		p.mapping(exe) // the first one is the program
	}
}

// add counts an event, at the frames of its thread.
func (p *Profile) add(st *history.Step, e trace.Event, frames []symbol.Frame) {
	faults, bytes := int64(0), int64(broughtIn(st))
	if e.Kind == trace.Fault {
		faults = 1
	}
	if faults == 0 && bytes == 0 {
		return
	}
	stack := p.stack(frames)
	var key []byte
	for _, l := range stack {
		key = binary.AppendUvarint(key, l.ID)
	}
	s := p.samples[string(key)]
	if s == nil {
		s = &profile.Sample{Location: stack, Value: []int64{0, 0}}
		p.samples[string(key)] = s
		p.p.Sample = append(p.p.Sample, s)
	}
	s.Value[0] += faults
	s.Value[1] += bytes
}

// broughtIn is how many bytes of its memory have a frame of their own, or are mapped, that had none
// before a step.
func broughtIn(st *history.Step) (bytes uint64) {
	for _, c := range st.Changes {
		switch {
		case c.Process != st.Process || c.Kind != vmspace.ChangePage && c.Kind != vmspace.ChangeFrame:
		case c.Kind == vmspace.ChangePage && (c.Was == vmspace.None || c.Was == vmspace.Swapped) && c.Is != vmspace.None && c.Is != vmspace.Swapped,
			c.Kind == vmspace.ChangePage && c.Was == vmspace.Zero && c.Is == vmspace.Anon:
			bytes += c.Pages * st.After.PageSize
		case st.Happened == vmspace.Copy && c.Range.Overlaps(st.Focus):
			bytes += st.After.PageSize
		}
	}
	return bytes
}

// stack gives the locations of frames: those of one call, inlined into each other, are one.
func (p *Profile) stack(frames []symbol.Frame) (stack []*profile.Location) {
	for i := 0; i < len(frames); {
		end := i + 1
		for end < len(frames) && frames[end].Counter == frames[i].Counter && frames[end].Stack == frames[i].Stack {
			end++
		}
		key := locationKey{frames[i].Object, frames[i].Counter}
		l := p.locations[key]
		if l == nil {
			l = &profile.Location{ID: uint64(len(p.p.Location) + 1), Mapping: p.mapping(frames[i].Object), Address: frames[i].Counter}
			for _, f := range frames[i:end] {
				l.Line = append(l.Line, profile.Line{Function: p.function(f), Line: int64(f.Line)})
			}
			p.locations[key] = l
			p.p.Location = append(p.p.Location, l)
		}
		stack = append(stack, l)
		i = end
	}
	return stack
}

func (p *Profile) mapping(object string) *profile.Mapping {
	m := p.mappings[object]
	if m == nil {
		m = &profile.Mapping{ID: uint64(len(p.p.Mapping) + 1), File: object, HasFunctions: true, HasFilenames: true, HasLineNumbers: true, HasInlineFrames: true}
		p.mappings[object] = m
		p.p.Mapping = append(p.p.Mapping, m)
	}
	return m
}

func (p *Profile) function(f symbol.Frame) *profile.Function {
	name := f.Function
	if name == "" {
		name = f.Place.String()
	}
	key := profile.Function{Name: name, SystemName: name, Filename: f.File}
	known := p.functions[key]
	if known == nil {
		known = &profile.Function{ID: uint64(len(p.p.Function) + 1), Name: name, SystemName: name, Filename: f.File}
		p.functions[key] = known
		p.p.Function = append(p.p.Function, known)
	}
	return known
}

// CreateProfile opens the file that a profile is written to in the end.
func CreateProfile(path string) (*output.File, error) {
	return output.Kind{By: "--pprof", What: "a profile", Mine: isProfile}.Open(path)
}

// isProfile reports whether a file begins as a profile does: compressed, with the type of its first
// values, two numbers (profile.proto).
func isProfile(head io.Reader) bool {
	z, err := gzip.NewReader(head)
	if err != nil {
		return false
	}
	var b [6]byte
	_, err = io.ReadFull(z, b[:])
	return err == nil && b[0] == 0x0a && b[1] == 4 && b[2] == 0x08 && b[4] == 0x10
}

// Write writes the profile, compressed, as pprof reads it.
func (p *Profile) Write(w io.Writer) error {
	p.p.TimeNanos, p.p.DurationNanos = p.began.UnixNano(), time.Since(p.began).Nanoseconds()
	return p.p.Write(w)
}
