package run

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/trace"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/symbol"
)

// pages reads words of a process, and each of its pages once.
type pages struct {
	reader *observe.Reader
	pid    int
	size   uint64
	known  map[uint64][]byte // by address; nil where the page is not present
}

// word reads 8 bytes, and nothing that would have to be brought in.
func (p *pages) word(addr uint64) (uint64, bool) {
	var word [8]byte
	for n := uint64(0); n < 8; {
		b := p.page((addr + n) &^ (p.size - 1))
		if b == nil {
			return 0, false
		}
		n += uint64(copy(word[n:], b[(addr+n)&(p.size-1):]))
	}
	return binary.LittleEndian.Uint64(word[:]), true
}

func (p *pages) page(start uint64) []byte {
	b, known := p.known[start]
	if known {
		return b
	}
	if b = make([]byte, p.size); p.known == nil {
		p.known = map[uint64][]byte{}
	}
	if present, err := p.reader.Peek(p.pid, start, b); err != nil || slices.Contains(present, false) {
		b = nil
	}
	p.known[start] = b
	return b
}

const linesBeside = 8 // of source, before and after that of a step

// site is where the thread was, and its memory: the innermost frame of the user's own source, where there is one,
// and otherwise the innermost of the program itself.
func (r *Run) site(st *history.Step, e trace.Event) (*history.Site, *pages) {
	p := st.After.Process(st.Process)
	if st.Before != nil && (p == nil || !p.Alive()) {
		p = st.Before.Process(st.Process)
	}
	r.frames, r.shown = nil, 0
	if e.IP() == 0 || p == nil || e.Kind == trace.Exec {
		return nil, nil
	}
	regs := e.Regs
	if e.Kind == trace.Call || e.Kind == trace.Fork || e.Kind == trace.Written && trace.WrittenBehind {
		regs[symbol.Counter]-- // it is behind the instruction
	}
	stack := &pages{r.reader, e.PID, st.After.PageSize, nil}
	r.frames = r.table.Callers(e.PID, p.MappingAt, regs, stack.word)
	frames := r.frames
	if len(frames) == 0 {
		return &history.Site{Place: vmspace.Place{At: e.IP()}}, stack
	}
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", e.PID))
	own := slices.IndexFunc(frames, func(at symbol.Frame) bool {
		return !symbol.Foreign(at.File) && r.sources.line(at.File, at.Line) != ""
	})
	if own < 0 {
		own = max(slices.IndexFunc(frames, func(at symbol.Frame) bool { return at.Object == exe }), 0)
	}
	r.begun[st.Process] = r.begun[st.Process] || slices.ContainsFunc(frames, func(at symbol.Frame) bool {
		return at.Object == exe && !beforeMain(at.Function)
	})
	r.shown = own
	s := &history.Site{Place: frames[own].Place, Text: r.sources.line(frames[own].File, frames[own].Line)}
	s.Source, s.From = r.sources.around(s.File, s.Line, linesBeside)
	for _, at := range frames[own+1:] {
		s.Callers = append(s.Callers, cmp.Or(at.Function, at.String()))
	}
	return s, stack
}

// beforeMain reports whether a function of a program runs before its main, as those of the C library
// and of Go's runtime do.
func beforeMain(function string) bool {
	switch function {
	case "_start", "__libc_start_main", "__libc_start_main_impl", "__libc_start_call_main", "_dl_relocate_static_pie", "_dl_start":
		return true
	}
	for _, start := range []string{"_rt0_", "runtime.", "internal/"} {
		if strings.HasPrefix(function, start) {
			return true
		}
	}
	return false
}
