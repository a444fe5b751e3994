package observe

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cowscope/vmspace"
)

// Pages of 16 and 64 KiB, as arm64 may have them: a pagemap that this test writes, read by the real
// pageReader, through to what people see.

// oddSpace is an address space with pages of any size: the letters are its pages, in order, from
// page 16 on.
type oddSpace struct {
	size  uint64
	maps  vmspace.List[vmspace.Mapping]
	file  *os.File
	words map[uint64]uint64
}

const (
	oddStart = 16
	oddPages = "azc.fFsG" // of these the first four in memory without a file, then two of a private file, a shared one, a guard
)

var oddWords = map[rune]uint64{'a': vmspace.WordPresent | vmspace.WordExclusive | 0x100, 'z': vmspace.WordPresent | 0x77, 'c': vmspace.WordPresent | 0x200, '.': 0,
	'f': vmspace.WordPresent | vmspace.WordFile | 0x300, 'F': vmspace.WordPresent | vmspace.WordFile | 0x301, 's': vmspace.WordPresent | vmspace.WordFile | 0x400,
	'G': vmspace.WordSwapped | vmspace.WordGuard | 0x9f}

func newOddSpace(t *testing.T, size uint64) *oddSpace {
	f, err := os.Create(filepath.Join(t.TempDir(), "pagemap"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	at := func(page uint64) uint64 { return (oddStart + page) * size }
	top := 1<<47 - size*2 // with a full table of five levels the space of a process ends here, or far above
	m := func(start, end uint64, perms vmspace.Perms, inode uint64, path string) vmspace.Mapping {
		return vmspace.Mapping{Range: vmspace.Range{Start: start, End: end}, Perms: perms, Inode: inode, Path: path}
	}
	o := &oddSpace{size: size, file: f, words: map[uint64]uint64{}, maps: vmspace.NewList([]vmspace.Mapping{
		m(at(0), at(4), vmspace.Read|vmspace.Write, 0, ""), m(at(4), at(6), vmspace.Read|vmspace.Write, 5, "/f"), m(at(6), at(7), vmspace.Read|vmspace.Write|vmspace.SharedMap, 6, "/dev/zero (deleted)"),
		m(at(7), at(8), vmspace.Read|vmspace.Write, 0, ""), m(top, top+2*size, vmspace.Read|vmspace.Write, 0, "[stack]"),
		m(0xffffffffff600000, 0xffffffffff600000+size, vmspace.Exec, 0, "[vsyscall]"),
	})}
	for i, c := range oddPages {
		o.set(t, at(uint64(i)), oddWords[c])
	}
	o.set(t, top+size, vmspace.WordPresent|vmspace.WordExclusive|0x500)
	return o
}

func (o *oddSpace) set(t *testing.T, addr, word uint64) {
	t.Helper()
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], word)
	if _, err := o.file.WriteAt(b[:], int64(addr/o.size*8)); err != nil {
		t.Fatal(err)
	}
}

// process reads the space in the windows, as Reader does where there is no scan.
func (o *oddSpace) process(t *testing.T, windows ...vmspace.Range) *vmspace.Process {
	t.Helper()
	r := pageReader{size: o.size, shift: vmspace.ShiftOf(o.size), frames: true, zeroFrame: 0x77, stopped: func() error { return nil }}
	runs, err := r.read(&procFiles{pagemap: int(o.file.Fd())}, o.maps, windows)
	if err != nil {
		t.Fatal(err)
	}
	g := reading{Member: vmspace.Member{Label: "p1", PID: 1}, maps: o.maps, pages: vmspace.NewList(runs)}
	return g.process(o.size)
}

func (o *oddSpace) snapshot(p *vmspace.Process) *vmspace.Snapshot {
	return &vmspace.Snapshot{PageSize: o.size, Frames: true, Processes: []*vmspace.Process{p}}
}

func TestPageSizesStates(t *testing.T) {
	everyPageSize(t, func(t *testing.T, size uint64) {
		o := newOddSpace(t, size)
		p := o.process(t, vmspace.Everything)
		if got := letters(p, vmspace.Range{Start: oddStart * size, End: (oddStart + 8) * size}); got != "azc.ffsG" {
			t.Errorf("the pages are %q", got)
		}
		stack := p.Mappings.At(4)
		if got := letters(p, stack.Range); got != ".a" {
			t.Errorf("the end of the address space is %q", got)
		}
		if r := p.PageAt((oddStart+5)*size+size-1, size); r.State != vmspace.File || r.Frame != 0x301 || r.Pages != 1 || r.PageSize() != size {
			t.Errorf("%+v", r)
		}
		if n := p.Resident(vmspace.Everything); n != 7 {
			t.Errorf("%d pages are resident", n)
		}
		if got, ok := p.MappingAt(0xffffffffff600000); !ok || got.Kind() != vmspace.KindSpecial {
			t.Errorf("%+v", got)
		}
	})
}

// A process without any page is read with the right size too: absent pages are told in its own
// pages, not in some of 4 KiB.
func TestPageSizesWithoutPages(t *testing.T) {
	everyPageSize(t, func(t *testing.T, size uint64) {
		o := newOddSpace(t, size)
		p := o.process(t)
		if got := letters(p, vmspace.Range{Start: oddStart * size, End: (oddStart + 8) * size}); got != "........" {
			t.Errorf("the pages are %q", got)
		}
		facts := vmspace.NoFacts
		facts.FileSize = int64(size)
		if got := vmspace.Predict(p, (oddStart+5)*size-1, vmspace.Load, facts); !slices.Equal(got.Can, []vmspace.Happening{vmspace.MapPage}) {
			t.Errorf("the last byte of the file's only page: %v", got)
		}
		if got := vmspace.Predict(p, (oddStart+5)*size, vmspace.Load, facts); !slices.Equal(got.Can, []vmspace.Happening{vmspace.BusErr}) {
			t.Errorf("behind the file: %v", got)
		}
	})
}

func TestPageSizesChange(t *testing.T) {
	everyPageSize(t, func(t *testing.T, size uint64) {
		o := newOddSpace(t, size)
		before := o.process(t, vmspace.Everything)
		o.set(t, (oddStart+2)*size, vmspace.WordPresent|vmspace.WordExclusive|0x999)
		after := o.process(t, vmspace.Everything)
		d := vmspace.Diff(o.snapshot(before), o.snapshot(after))
		want := vmspace.Range{Start: (oddStart + 2) * size, End: (oddStart + 3) * size}
		if len(d) != 1 || d[0].Range != want || d[0].Pages != 1 || d[0].From != "cow" || d[0].To != "anon" || d[0].ToFrame != 0x999 {
			t.Errorf("%+v", d)
		}
		// A part that is read again fits in its place, whatever the size of the pages.
		windows := blocks([]vmspace.Range{want}, size)
		fresh := o.process(t, windows...)
		if got := spliceRuns(before.Pages, windows, fresh.Pages.Slice(0, fresh.Pages.Len()), o.maps); !slices.Equal(got.Slice(0, got.Len()),
			after.Pages.Slice(0, after.Pages.Len())) {
			t.Errorf("%+v\nwant %+v", got.Slice(0, got.Len()), after.Pages.Slice(0, after.Pages.Len()))
		}
	})
}

// What is read again reaches as far as one entry of the page middle directory, and as fault-around
// does.
func TestPageSizesWindows(t *testing.T) {
	for size, block := range map[uint64]uint64{4 << 10: 2 << 20, 16 << 10: 32 << 20, 64 << 10: 512 << 20} {
		at := 3*block + 5*size
		if got := blocks([]vmspace.Range{{Start: at, End: at + size}}, size); len(got) != 1 || got[0] != (vmspace.Range{Start: 3 * block, End: 4 * block}) && size != 4<<10 ||
			!got[0].Covers(vmspace.Range{Start: at - min(5*size, 64<<10), End: at + size + 64<<10}) {
			t.Errorf("%d: %v", size, got)
		}
	}
}

func TestPageSizesOutput(t *testing.T) {
	everyPageSize(t, func(t *testing.T, size uint64) {
		o := newOddSpace(t, size)
		s := o.snapshot(o.process(t, vmspace.Everything))
		var text, object strings.Builder
		if err := s.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if line := fmt.Sprintf("    %x 2 file frame 0x300\n", (oddStart+4)*size); !strings.Contains(text.String(), line) {
			t.Errorf("no %q in\n%s", line, text.String())
		}
		if err := s.WriteJSON(&object, nil); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Processes []struct {
				Mappings []struct {
					RSS   uint64
					Pages []struct {
						Start, State string
						Count        uint64
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(object.String()), &got); err != nil {
			t.Fatal(err)
		}
		m := got.Processes[0].Mappings[1]
		if m.RSS != 2*size || len(m.Pages) != 1 || m.Pages[0].Count != 2 || m.Pages[0].Start != fmt.Sprintf("0x%x", (oddStart+4)*size) {
			t.Errorf("%+v", m)
		}
	})
}

// everyPageSize runs a test with the sizes of pages that arm64 may have.
func everyPageSize(t *testing.T, test func(t *testing.T, size uint64)) {
	for _, size := range []uint64{4 << 10, 16 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) { test(t, size) })
	}
}
