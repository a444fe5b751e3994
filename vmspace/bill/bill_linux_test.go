package bill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/vmspace"
	"cowscope/vmspace/bill"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/procfs"

	"pgregory.net/rapid"
)

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

var counters = bill.Counters{Tables: procfs.PageTables, Faults: procfs.Faults}

// view is one who looks, with a book of its own.
type view struct {
	r    *observe.Reader
	book *bill.Book
	last *vmspace.Snapshot
}

// lab is a family that stands still, and two who look at it: with frame numbers, where they are to be
// had, and without.
type lab struct {
	fataler
	s          *actions.Session
	best, user view
}

func open(t fataler, memory uint64) *lab {
	t.Helper()
	s, err := actions.Open(actions.Options{Limits: family.Limits{Memory: memory}})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{fataler: t, s: s}
	for v, o := range map[*view]observe.Options{&l.best: {}, &l.user: {NoFrames: true}} {
		if v.r, err = observe.NewReader(o); err != nil {
			t.Fatal(err)
		}
		v.book = bill.NewBook(counters)
	}
	l.look()
	return l
}

func (l *lab) close() {
	l.s.Close()
	l.best.r.Close()
	l.user.r.Close()
}

func (l *lab) look() {
	l.Helper()
	var members []vmspace.Member
	steps := l.s.History()
	for _, p := range steps[len(steps)-1].After.Processes {
		if p.Alive() {
			members = append(members, p.Member)
		}
	}
	for _, v := range []*view{&l.best, &l.user} {
		snap, err := v.r.Observe(context.Background(), members, observe.Scope{})
		if err != nil {
			l.Fatal(err)
		}
		v.book.Add(v.last, snap, true, time.Now())
		v.last = snap
	}
}

// do runs commands, and looks after each.
func (l *lab) do(lines ...string) {
	l.Helper()
	for _, line := range lines {
		l.unseen(line)
		l.look()
	}
}

// unseen runs commands, and nobody looks.
func (l *lab) unseen(lines ...string) {
	l.Helper()
	for _, line := range lines {
		st, err := l.s.Do(context.Background(), line)
		if err != nil {
			l.Fatalf("%s: %v", line, err)
		}
		if !st.OK() {
			l.Fatalf("%s: %s", line, st.Answer())
		}
	}
}

// at is the range of a name in the first process.
func (l *lab) at(name string) vmspace.Range {
	l.Helper()
	steps := l.s.History()
	st := steps[len(steps)-1]
	for _, m := range st.After.Process("p1").Mappings.All() {
		if st.NameMapping("p1", m) == name {
			return m.Range
		}
	}
	l.Fatalf("no mapping is called %s", name)
	return vmspace.Range{}
}

// row is the row of a mapping in the bill of the first child.
func row(b *bill.Bill, r vmspace.Range) bill.Sums {
	for _, x := range b.Forks[0].Rows {
		if x.Overlaps(r) {
			return x.Sums
		}
	}
	return bill.Sums{}
}

// What the two copy, page by page, is what the bill says, and what is not shared by a fork is not in it.
func TestBill(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	const anon = " rw private anon"
	l.do("a = mmap 16p"+anon, "fill a 1",
		"b = mmap 8p"+anon+" addr=0x100000000", "fill b 1", "madvise b dontfork",
		"c = mmap 8p"+anon+" addr=0x200000000", "fill c 1", "madvise c wipeonfork",
		"d = mmap 4p rw shared anon addr=0x300000000", "fill d 1")
	before := bill.Foresee(l.best.last.Process("p1"), l.best.last.PageSize)
	if before.LeftOut != 8 || before.Emptied != 8 || before.Mapped != 4 || !before.Known {
		t.Errorf("the forecast: %+v", before)
	}
	l.do("fork", "@p1 touch a 3p write", "@p2 touch a+3p 5p write", "@p1 touch b 2p write", "@p2 touch c 2p write",
		"e = mmap 6p"+anon+" addr=0x400000000", "@p1 touch e 4p write", "@p2 mprotect a+12p 4p r", "@p1 mprotect a+12p 4p r")

	root, user := l.best.book.Bill(l.best.last), l.user.book.Bill(l.user.last)
	if len(root.Forks) != 1 || len(user.Forks) != 1 || !root.Forks[0].Whole {
		t.Fatalf("%+v", root)
	}
	fork := root.Forks[0]
	if fork.Grade == nil || fork.Grade.Shared != before.Shared.Pages {
		t.Errorf("the grade: %+v, forecast %+v", fork.Grade, before)
	}
	// The child's tables were read when it had just begun: they are copies.
	if g := fork.Grade; g != nil && (g.Tables < g.Forecast.Tables || g.Tables > g.Forecast.TablesMost) {
		t.Errorf("page tables: %d, forecast %d to %d", g.Tables, g.Forecast.Tables, g.Forecast.TablesMost)
	}
	a := l.at("a") // its first 12 pages: the others have letters of their own
	if got := row(user, a); got.Apart.Pages != 8 || got.Copied.Pages != 8 || got.Likely.Pages != 4 || got.Left.Pages != 4 || got.Undecided() != 8 {
		t.Errorf("a, without frame numbers: %+v", got)
	}
	if got := row(root, a); root.Frames && (got.Shared.Pages != 4 || got.Left.Pages != 4 || got.Parent.Copied != 3 || got.Child.Copied != 5 || got.Parent.Kept != 5 || got.Child.Kept != 3 || got.Undecided() != 0) {
		t.Errorf("a: %+v", got)
	}
	// What neither may write to is shared, and nothing is left to copy.
	last := vmspace.Range{Start: a.End, End: a.End + 4*l.best.last.PageSize}
	if got := row(root, last); got.Shared.Pages+got.Likely.Pages != 4 || got.Left.Pages != 0 {
		t.Errorf("the pages that nobody may write to: %+v", got)
	}
	for _, b := range []*bill.Bill{root, user} {
		for name, want := range map[string]bill.Sums{
			"b": {Parent: bill.Side{Kept: 8}},
			"c": {Apart: bill.Count{Pages: 2}, Parent: bill.Side{Kept: 8}, Child: bill.Side{New: 2}},
			"d": {Parent: bill.Side{Other: 4}},
			"e": {Parent: bill.Side{New: 4}},
		} {
			if got := row(b, l.at(name)); got != want {
				t.Errorf("frames %v: %s: %+v, want %+v", b.Frames, name, got, want)
			}
		}
	}
	l.check()
	if parent, child, known := user.Forks[0].Most(); !known || parent < 3 || child < 5 {
		t.Errorf("bounds by faults: %d, %d, %v", parent, child, known)
	}
	// Faults that were counted before the pages were read bound nothing: a process may run meanwhile.
	if p := bill.Of(bill.NewBase(nil, l.user.last.Processes[0], l.user.last.Processes[1]), l.user.last.Processes[0], l.user.last.Processes[1]); p.Counted {
		t.Error("faults of a picture are taken for those after it")
	}
	if p, c := user.Forks[0].Parent.Copied, user.Forks[0].Child.Copied; p != 0 || c != 0 {
		t.Errorf("without frame numbers: %d and %d pages copied", p, c)
	}
	if one := bill.NewBill(l.best.last, counters); one.Forks[0].Copied.Pages != 0 || row(one, a).Apart.Pages != 8 || row(one, a).Parent.Unsure != 8 {
		t.Errorf("a single look: %+v", row(one, a))
	}
}

// What happened between the last look before a fork and the first one after it is told as far as frames
// prove it, and no further.
func TestLateLook(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	const anon = " rw private anon"
	l.do("a = mmap 16p"+anon+" addr=0x100000000", "touch a 8p write",
		"c = mmap 8p"+anon+" addr=0x200000000", "fill c 1", "madvise c wipeonfork",
		"d = mmap 8p"+anon+" addr=0x300000000", "fill d 1", "madvise d dontfork")
	l.unseen("touch a+8p write", "madvise a 1p dontneed", "touch a 1p write", "fork",
		"@p1 touch a+1p 3p write", "@p2 touch a+4p 2p write", // shared at the fork for certain
		"@p1 touch a+12p 2p write", "@p2 touch a+12p 2p write", // these came after the last look
		"@p1 touch a 1p write", "@p2 touch a 1p write", // the first page had another frame before the fork
		"@p2 touch c 2p write", "@p2 d2 = mmap 8p"+anon+" fixed addr=0x300000000", "@p2 touch d2 3p write")
	l.look()
	l.check()
	root, user := l.best.book.Bill(l.best.last), l.user.book.Bill(l.user.last)
	for name, want := range map[string]bill.Sums{
		"c": {Apart: bill.Count{Pages: 2}, Parent: bill.Side{Kept: 8}, Child: bill.Side{New: 2}},
		"d": {Apart: bill.Count{Pages: 3}, Parent: bill.Side{Kept: 8}, Child: bill.Side{New: 3}},
	} {
		for _, b := range []*bill.Bill{root, user} {
			if got := row(b, l.at(name)); got != want {
				t.Errorf("frames %v: %s: %+v, want %+v", b.Frames, name, got, want)
			}
		}
	}
	// The first page may have got its old frame again: then it proves as much as the others.
	got := row(root, l.at("a"))
	first := got.Parent.Copied - min(got.Parent.Copied, 3)
	if root.Frames && (got.Shared.Pages != 8 || first > 1 || got.Parent.Copied != 3+first || got.Child.Copied != 2 || got.Copied.Pages != 5+first || got.Apart.Pages != 8 || got.Parent.Unsure != 3-first || got.Child.Unsure != 3-first) {
		t.Errorf("a: %+v", got)
	}
	if got := row(user, l.at("a")); got.Likely.Pages != 8 || got.Apart.Pages != 8 || got.Parent.Unsure != 8 || got.Child.Unsure != 8 {
		t.Errorf("a, without frame numbers: %+v", got)
	}
}

// Pages that each of the two made since, and shares with a child of its own, are not taken for shared.
func TestOtherRelatives(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	l.do("a = mmap 8p rw private anon", "touch a+4p 2p write", "fork", "@p1 touch a 3p write", "@p2 touch a 3p write", "@p1 fork", "@p2 fork")
	l.check()
	// The parent's copy is its own: that the child shares its page with others does not hide it.
	l.do("@p1 touch a+4p 1p write")
	l.check()
	if got := row(l.user.book.Bill(l.user.last), l.at("a")); got.Apart.Pages != 1 || got.Copied.Pages != 1 || got.Likely.Pages != 1 {
		t.Errorf("without frame numbers: %+v", got)
	}
	l.do("@p2 touch a+5p 1p write")
	if got := row(l.user.book.Bill(l.user.last), l.at("a")); got.Likely.Pages != 0 || got.Parent.Unsure != 5 || got.Child.Unsure != 5 || got.Left.Pages != 0 {
		t.Errorf("without frame numbers: %+v", got)
	}
	if got := row(l.best.book.Bill(l.best.last), l.at("a")); l.best.last.Frames && (got.Parent.New != 3 || got.Child.New != 3) {
		t.Errorf("%+v", got)
	}
}

// Of a child that has nothing of the fork any more nothing is said to be copied: it is as after execve.
func TestReplaced(t *testing.T) {
	process := func(label, parent string, frame uint64) *vmspace.Process {
		m := vmspace.Mapping{Range: vmspace.Range{Start: 0x10000, End: 0x10000 + 8<<12}, Perms: vmspace.Read | vmspace.Write, Smaps: &vmspace.Counters{}}
		run := vmspace.Run{Start: m.Start, Pages: 4, State: vmspace.COW, Frame: frame, Word: vmspace.WordPresent}
		return &vmspace.Process{Member: vmspace.Member{Label: label, Parent: parent}, Mappings: vmspace.NewList([]vmspace.Mapping{m}), Pages: vmspace.NewList([]vmspace.Run{run})}
	}
	base := bill.NewBase(process("p1", "", 100), process("p1", "", 100), process("p2", "p1", 100))
	if p := bill.Of(base, process("p1", "", 100), process("p2", "p1", 100)); p.Replaced || p.Shared.Pages != 4 {
		t.Errorf("%+v", p)
	}
	p := bill.Of(base, process("p1", "", 100), process("p2", "p1", 200))
	if want := (bill.Sums{Apart: bill.Count{Pages: 4}, Parent: bill.Side{Kept: 4}, Child: bill.Side{Unsure: 4}}); !p.Replaced || p.Sums != want || p.Rows[0].Sums != want {
		t.Errorf("%+v", p)
	}
	// It has executed it already when it is first seen.
	base = bill.NewBase(process("p1", "", 100), process("p1", "", 100), process("p2", "p1", 200))
	if p := bill.Of(base, process("p1", "", 100), process("p2", "p1", 200)); base.Shared != 0 || p.Copied.Pages != 0 || p.Child.Unsure != 4 {
		t.Errorf("%+v", p)
	}
}

// A write to a huge page after a fork splits it for the writer and copies a page; the rest stays shared.
func TestHugePages(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	block := vmspace.HugeBlock(l.best.last.PageSize)
	if block > 2<<20 {
		t.Skip("needs huge pages that fit into the memory of a test")
	}
	pages := block / l.best.last.PageSize
	l.do(fmt.Sprintf("a = mmap %d rw private anon addr=0x100000000", 2*block), "madvise a hugepage", "write a 1", fmt.Sprintf("write a+%d 1", block))
	if f := bill.Foresee(l.best.last.Process("p1"), l.best.last.PageSize); f.Shared.Huge != 2*pages {
		t.Skip("needs a huge page: the kernel gave none")
	}
	l.do("fork", "@p2 touch a+5p 3p write", fmt.Sprintf("@p1 touch a+%d 2p write", block))
	l.check()
	root, user := l.best.book.Bill(l.best.last), l.user.book.Bill(l.user.last)
	got := row(root, l.at("a"))
	if root.Frames && (got.Shared.Pages != 2*pages-5 || got.Child.Copied != 3 || got.Parent.Copied != 2 || got.Left.Huge == 0 || got.Apart.Pages != 5) {
		t.Errorf("%+v", got)
	}
	if got := row(user, l.at("a")); got.Shared.Pages != 0 || got.Apart.Pages > 5 || got.Likely.Pages < 2*pages-16 {
		t.Errorf("without frame numbers: %+v", got)
	}
	// Without frame numbers and without PAGEMAP_SCAN nobody knows which pages of a mapping are huge.
	if _, _, known := root.Forks[0].Most(); known && row(root, l.at("a")).Left.Huge > 0 {
		t.Error("bounds by faults where huge pages are apart")
	}
}

// Page tables are forecast to the table: a fork of a process with more of them copies as many more.
func TestPageTables(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	block := vmspace.HugeBlock(l.best.last.PageSize)
	tables := func(child string) (forecast, real uint64) {
		l.do("@p1 fork")
		for _, f := range l.best.book.Bill(l.best.last).Forks {
			if f.ChildLabel == child {
				return f.Grade.Forecast.Tables, f.Grade.Tables
			}
		}
		t.Fatalf("no %s", child)
		return 0, 0
	}
	forecast, real := tables("p2")
	l.do(fmt.Sprintf("@p1 a = mmap %d rw private anon noreserve", 9*block), "@p1 madvise a nohugepage")
	for i := range uint64(8) {
		l.do(fmt.Sprintf("@p1 touch a+%d 1p write", i*block))
	}
	l.do(fmt.Sprintf("@p1 s = mmap %d rw shared anon", 3*block), "@p1 touch s 1p write")
	more, realMore := tables("p3")
	if more-forecast != realMore-real || more-forecast < 8*l.best.last.PageSize {
		t.Errorf("forecast %d and then %d bytes, real %d and then %d", forecast, more, real, realMore)
	}
}

// check holds every number against independent ones, and what the user is told as certain against what
// frame numbers say.
func (l *lab) check() {
	l.Helper()
	root, user := l.best.book.Bill(l.best.last), l.user.book.Bill(l.user.last)
	for _, v := range []*view{&l.best, &l.user} {
		b := v.book.Bill(v.last)
		for _, f := range b.Forks {
			for label, sums := range map[string]bill.Side{f.ParentLabel: f.Parent, f.ChildLabel: f.Child} {
				p := v.last.Process(label)
				got := f.Shared.Pages + f.Likely.Pages + sums.Own() + sums.Other
				present := p.Resident(vmspace.Everything)
				if got > present || got+sums.Unknown < present {
					l.Fatalf("frames %v: %s of %s and %s: %d pages and %d unknown, and %d are present: %+v", b.Frames, label, f.ParentLabel, f.ChildLabel, got, sums.Unknown, present, f.Sums)
				}
			}
			if f.Left.Pages > f.Shared.Pages+f.Likely.Pages || f.Copied.Pages > f.Apart.Pages || f.Parent.Copied+f.Child.Copied > f.Copied.Pages {
				l.Fatalf("frames %v: %+v", b.Frames, f.Sums)
			}
		}
	}
	if !root.Frames {
		return
	}
	for i, f := range root.Forks {
		u := user.Forks[i]
		parent, child, known := u.Most()
		switch {
		case known && (f.Parent.Copied > parent || f.Child.Copied > child):
			l.Fatalf("%s: at most %d and %d pages are copied by fault counts\nroot %+v\nuser %+v", f.ChildLabel, parent, child, f.Sums, u.Sums)
		case u.Shared.Pages != 0:
			l.Fatalf("without frame numbers %d pages are said to be shared for certain", u.Shared.Pages)
		case u.Apart.Pages > f.Apart.Pages:
			l.Fatalf("%s: the user is told of %d pages apart, and there are %d\nroot %+v\nuser %+v", f.ChildLabel, u.Apart.Pages, f.Apart.Pages, f.Sums, u.Sums)
		case u.Apart.Pages+u.Likely.Pages+u.Child.Unsure+u.Child.Unknown < f.Shared.Pages:
			l.Fatalf("%s: %d pages are shared, and the user is told of fewer\nuser %+v", f.ChildLabel, f.Shared.Pages, u.Sums)
		case u.Parent.New > f.Parent.New+f.Parent.Unsure || u.Child.New > f.Child.New+f.Child.Unsure:
			l.Fatalf("%s: new pages\nroot %+v\nuser %+v", f.ChildLabel, f.Sums, u.Sums)
		}
	}
}

// What the bill calls shared is in no sum of the pages that smaps calls private, and all that one has
// alone is.
func TestAgainstSmaps(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	l.do("a = mmap 64p rw private anon", "fill a 1", "fork", "@p1 touch a 7p write", "@p2 touch a+7p 11p write", "@p2 munmap a+60p")
	for _, v := range []*view{&l.best, &l.user} {
		b := v.book.Bill(v.last)
		f := b.Forks[0]
		for label, own := range map[string]uint64{f.ParentLabel: f.Parent.Own(), f.ChildLabel: f.Child.Own()} {
			p := v.last.Process(label)
			var shared, private uint64
			for _, m := range smaps(t, p.PID) {
				if m.anonymous { // nothing but private anonymous pages
					shared, private = shared+m.shared, private+m.private
				}
			}
			var mine, both uint64
			for _, r := range f.Rows {
				if r.Private() && r.Path != "" && r.Kind() != vmspace.KindStack && r.Kind() != vmspace.KindHeap {
					own -= map[bool]bill.Side{true: r.Parent, false: r.Child}[label == f.ParentLabel].Own()
					continue
				}
				both += (r.Shared.Pages + r.Likely.Pages) * b.PageSize
			}
			if mine = own * b.PageSize; mine != private || both != shared {
				t.Errorf("frames %v: %s: %d bytes alone, smaps says %d; %d shared, smaps says %d", b.Frames, label, mine, private, both, shared)
			}
		}
		if all := rollup(t, v.last.Process("p2").PID, "Shared_Dirty:"); all < (f.Shared.Pages+f.Likely.Pages)*b.PageSize {
			t.Errorf("frames %v: %d pages shared, and smaps_rollup says %d bytes", b.Frames, f.Shared.Pages+f.Likely.Pages, all)
		}
	}
}

type smap struct {
	anonymous       bool
	shared, private uint64
}

// smaps reads /proc/PID/smaps in its own way.
func smaps(t *testing.T, pid int) (out []smap) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if !strings.HasSuffix(f[0], ":") {
			private := strings.HasSuffix(f[1], "p")
			out = append(out, smap{anonymous: private && (len(f) == 5 || f[5] == "[stack]" || f[5] == "[heap]")})
			continue
		}
		var n uint64
		fmt.Sscan(f[1], &n)
		switch m := &out[len(out)-1]; f[0] {
		case "Shared_Clean:", "Shared_Dirty:":
			m.shared += n << 10
		case "Private_Clean:", "Private_Dirty:":
			m.private += n << 10
		}
	}
	return out
}

func rollup(t *testing.T, pid int, field string) (bytes uint64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == field {
			fmt.Sscan(f[1], &bytes)
		}
	}
	return bytes << 10
}

// A child that has ended keeps its last bill, for as long as the picture has the child.
func TestEnded(t *testing.T) {
	book := bill.NewBook(bill.Counters{Tables: func(int) uint64 { return 0 }, Faults: func(int) (uint64, uint64) { return 0, 0 }})
	process := func(label, parent string, pid int, frames ...uint64) *vmspace.Process {
		m := vmspace.Mapping{Range: vmspace.Range{Start: 0x10000, End: 0x10000 + 8<<12}, Perms: vmspace.Read | vmspace.Write, Smaps: &vmspace.Counters{}}
		var runs []vmspace.Run
		for i, f := range frames {
			runs = append(runs, vmspace.Run{Start: m.Start + uint64(i)<<12, Pages: 1, State: vmspace.COW, Frame: f, Word: vmspace.WordPresent})
		}
		return &vmspace.Process{Member: vmspace.Member{Label: label, Parent: parent, PID: pid}, Mappings: vmspace.NewList([]vmspace.Mapping{m}), Pages: vmspace.NewList(runs)}
	}
	family := func(ps ...*vmspace.Process) *vmspace.Snapshot {
		return &vmspace.Snapshot{PageSize: pageSize, Frames: true, Processes: ps}
	}
	before := family(process("p1", "", 1, 100, 200))
	born := family(process("p1", "", 1, 100, 200), process("p2", "p1", 2, 100, 200))
	copied := family(process("p1", "", 1, 300, 200), process("p2", "p1", 2, 100, 200))
	corpse := process("p2", "p1", 2, 100, 200)
	corpse.State = vmspace.Zombie
	dead := family(process("p1", "", 1, 300, 500), corpse)
	last := before
	book.Add(nil, before, true, time.Unix(1, 0))
	for i, s := range []*vmspace.Snapshot{born, copied, dead} {
		book.Add(last, s, true, time.Unix(int64(i)+2, 0))
		last = s
	}
	for _, s := range []*vmspace.Snapshot{copied, dead} {
		b := book.Bill(s)
		if len(b.Forks) != 1 || b.Forks[0].Parent.Copied != 1 || b.Forks[0].Shared.Pages != 1 || b.Forks[0].Ended != (s == dead) || b.Forks[0].Grade == nil || b.Forks[0].Grade.Shared != 2 {
			t.Errorf("%+v", b.Forks)
		}
	}
	if text := strings.Join(book.Bill(dead).Lines(), "\n"); !strings.Contains(text, "p2, child of p1, pid 2, ended") || strings.Contains(text, "a fork of p2") {
		t.Error(text)
	}
	if b := book.Bill(before); len(b.Forks) != 0 {
		t.Errorf("%+v", b.Forks)
	}
}

const pageSize = 4096 // of pictures that are made up

// Random forks and writes: the parts add up to what is present, and what is certain without frame
// numbers is so with them.
func TestRandomForks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := open(t, 64<<20)
		defer l.close()
		alive, next := []string{"p1"}, 2
		l.do("a = mmap 24p rw private anon", "b = mmap 8p rw shared anon", "h = mmap 512p rw private anon addr=0x100000000", "madvise h hugepage")
		for range rapid.IntRange(5, 25).Draw(t, "commands") {
			p := rapid.SampledFrom(alive).Draw(t, "process")
			page, n := rapid.IntRange(0, 20).Draw(t, "page"), rapid.IntRange(1, 4).Draw(t, "pages")
			line := ""
			if rapid.IntRange(0, 3).Draw(t, "huge") == 0 {
				l.do(fmt.Sprintf("@%s touch h+%dp %dp write", p, page*25, n))
				l.check()
				continue
			}
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what == 0 && len(alive) < 4:
				line = "@" + p + " fork"
				alive, next = append(alive, fmt.Sprint("p", next)), next+1
			case what == 1:
				line = fmt.Sprintf("@%s madvise a+%dp %dp dontneed", p, page, n)
			case what == 2:
				line = fmt.Sprintf("@%s touch a+%dp %dp read", p, page, n)
			case what == 3:
				line = fmt.Sprintf("@%s touch b+%dp %dp write", p, page%4, n)
			default:
				line = fmt.Sprintf("@%s touch a+%dp %dp write", p, page, n)
			}
			l.do(line)
			l.check()
		}
	})
}

// The rate is what was copied between two pictures. The bill is text of 76 cells, and JSON.
func TestRateAndText(t *testing.T) {
	l := open(t, 256<<20)
	defer l.close()
	l.do("a = mmap 64p rw private anon", "fill a 1", "fork", "@p2 touch a 10p write")
	b := l.best.book.Bill(l.best.last)
	f := b.Forks[0]
	if f.Rate == nil || f.Rate.Copied.Pages != 10 || f.Rate.Over <= 0 {
		t.Errorf("the rate: %+v", f.Rate)
	}
	if time.Since(b.Read) > time.Minute || !l.best.book.Bill(l.best.last).Read.Equal(b.Read) {
		t.Errorf("read at %v", b.Read)
	}
	old := l.best.last
	text := strings.Join(b.Lines(), "\n")
	for _, want := range []string{"p2, child of p1, pid ", "a fork of p1 now would share ", "forecast ", "costs at once page tables of at least "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, line := range b.Lines() {
		if len(line) > 76 && !strings.Contains(line, " shared ") {
			t.Errorf("%d cells: %s", len(line), line)
		}
	}
	var out strings.Builder
	var j struct {
		Forks []struct {
			Parent, Child string
			Copied        uint64
			History       bool
		}
		Forecasts []struct{ Shared, Later_at_most uint64 }
	}
	if err := b.WriteJSON(&out); err != nil || json.Unmarshal([]byte(out.String()), &j) != nil || len(j.Forks) != 1 || j.Forks[0].Copied != 10*b.PageSize || !j.Forks[0].History || len(j.Forecasts) != 2 ||
		j.Forecasts[0].Later_at_most != j.Forecasts[0].Shared {
		t.Errorf("%v %+v\n%s", err, j, out.String())
	}
	l.do("@p2 touch a+20p 1p write")
	if past := l.best.book.Bill(old); !past.Read.IsZero() || past.Forks[0].Child.Copied > 10 {
		t.Errorf("a picture of the past: read at %v", past.Read)
	}
	l.do("@p2 touch a 10p write")
	if f := l.best.book.Bill(l.best.last).Forks[0]; f.Rate == nil || f.Rate.Copied.Pages != 0 {
		t.Errorf("the rate where nothing is copied: %+v", f.Rate)
	}
}
