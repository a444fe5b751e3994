package observe

import (
	"encoding/binary"
	"os"
	"strconv"
	"testing"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: what counts is the ratio of two things measured in one run, in turns, because
// times differ from machine to machine.

// many makes n small mappings in the arena, one page each, neighbours kept from merging by their
// permissions; every page is written.
func many(p *puppet, n int) {
	p.mmap(arena, uint64(n)*pg, rw, private)
	p.must("fill %d %d", arena, uint64(n)*pg)
	p.must("stripe %d %d", arena, uint64(n)*pg)
}

// inTurns measures a and b one after the other until b.N is used up, and reports a's time by b's.
func inTurns(b *testing.B, name string, f, g func()) {
	f()
	g()
	var tf, tg time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		mid := time.Now()
		g()
		tf, tg = tf+mid.Sub(start), tg+time.Since(mid)
	}
	b.ReportMetric(float64(tf)/float64(tg), name)
	b.ReportMetric(float64(tf.Microseconds())/float64(b.N), "µs/first")
	b.ReportMetric(float64(tg.Microseconds())/float64(b.N), "µs/second")
}

func check(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

// BenchmarkParseMaps: reading and parsing maps of 60,000 mappings against the bare read.
func BenchmarkParseMaps(b *testing.B) {
	p := startPuppet(b)
	many(p, 60000)
	fd, err := unix.Open("/proc/"+strconv.Itoa(p.cmd.Process.Pid)+"/maps", unix.O_RDONLY, 0)
	check(b, err)
	defer unix.Close(fd)
	var text []byte
	var dst []vmspace.Mapping
	inTurns(b, "parse/read", func() {
		text, err = readAll(fd, text)
		check(b, err)
		dst, err = procfs.ParseMaps(dst[:0], text)
		check(b, err)
	}, func() {
		text, err = readAll(fd, text)
		check(b, err)
	})
}

// BenchmarkRead: a snapshot of 60,000 mappings against bare reads of the same bytes: maps, and
// pagemap of the arena in one piece.
func BenchmarkRead(b *testing.B) {
	p := startPuppet(b)
	many(p, 60000)
	r := newReader(b, Options{KPageBudget: -1})
	dir := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	maps, err := unix.Open(dir+"/maps", unix.O_RDONLY, 0)
	check(b, err)
	pagemap, err := unix.Open(dir+"/pagemap", unix.O_RDONLY, 0)
	check(b, err)
	defer unix.Close(maps)
	defer unix.Close(pagemap)
	var text []byte
	words := make([]byte, 60000*8)
	i := byte(0)
	inTurns(b, "Read/pread", func() {
		p.store(arena, i) // not the very same state
		i++
		_, err := r.Observe(ctx, p.family(), Scope{})
		check(b, err)
	}, func() {
		text, err = readAll(maps, text)
		check(b, err)
		_, err := preadFull(pagemap, words, int64(arena/pg*8))
		check(b, err)
	})
}

// BenchmarkUpdate: one touched page among 60,000 mappings against one among 5.
func BenchmarkUpdate(b *testing.B) {
	step := func(n int) func() time.Duration {
		p := startPuppet(b)
		many(p, n)
		r := newReader(b, Options{})
		s, err := r.Observe(ctx, p.family(), Scope{})
		check(b, err)
		page := uint64(0)
		return func() time.Duration {
			addr := arena + page%uint64(n)/2*2*pg
			page += 2
			p.must("call %d %d %d %d", unix.SYS_MADVISE, addr, pg, unix.MADV_DONTNEED)
			start := time.Now()
			next, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: addr, End: addr + pg}}))
			took := time.Since(start)
			check(b, err)
			if next == s || len(vmspace.Diff(s, next)) == 0 {
				b.Fatal("the touched page was not seen")
			}
			p.store(addr, 1)
			s, err = r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: addr, End: addr + pg}}))
			check(b, err)
			return took
		}
	}
	few, lots := step(5), step(60000)
	var tf, tl time.Duration
	for b.Loop() {
		tf += few()
		tl += lots()
	}
	b.ReportMetric(float64(tl)/float64(tf), "60000/5")
	b.ReportMetric(float64(tf.Microseconds())/float64(b.N), "µs/5")
	b.ReportMetric(float64(tl.Microseconds())/float64(b.N), "µs/60000")
	if extra := (tl - tf) / time.Duration(b.N); b.N > 20 && extra > 300*time.Microsecond {
		b.Errorf("one page among 60,000 mappings costs %v more than among 5", extra)
	}
}

// BenchmarkDiff: a diff after one page changed, among 60,000 mappings, against taking the snapshot.
func BenchmarkDiff(b *testing.B) {
	p := startPuppet(b)
	many(p, 60000)
	r := newReader(b, Options{})
	s, err := r.Observe(ctx, p.family(), Scope{})
	check(b, err)
	i := uint64(0)
	var next *vmspace.Snapshot
	inTurns(b, "Diff/Read", func() {
		if next != nil && len(vmspace.Diff(s, next)) == 0 {
			b.Fatal("no difference")
		}
		if next != nil {
			s = next
		}
	}, func() {
		p.must("call %d %d %d %d", unix.SYS_MADVISE, arena+i%30000*2*pg, pg, unix.MADV_DONTNEED)
		i++
		next, err = r.Observe(ctx, p.family(), Scope{})
		check(b, err)
	})
}

// BenchmarkBarePread is for orientation: one page word.
func BenchmarkBarePread(b *testing.B) {
	f, err := os.Open("/proc/self/pagemap")
	check(b, err)
	defer f.Close()
	var w [8]byte
	for b.Loop() {
		_, err := unix.Pread(int(f.Fd()), w[:], int64(arena/pg*8))
		check(b, err)
	}
	_ = binary.NativeEndian.Uint64(w[:])
}

// readAll reads the file fd from its beginning into buf, which grows as needed. The kernel gives
// /proc text at most a page or so at a time, at a line's end.
func readAll(fd int, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		if cap(buf)-len(buf) < 8<<10 {
			buf = append(buf, make([]byte, max(16<<10, cap(buf)))...)[:len(buf)]
		}
		n, err := pread(fd, buf[len(buf):cap(buf)], int64(len(buf)))
		if err != nil || n == 0 {
			return buf, err
		}
		buf = buf[:len(buf)+n]
	}
}
