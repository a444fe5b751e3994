package observe

import (
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// bare makes the system calls that mappings and page states take, and does nothing with what they
// give: maps in full, PAGEMAP_SCAN over everything, words where the scan found something, small
// holes read through. It is the limit that BenchmarkSpace measures by.
type bare struct {
	maps, pagemap int
	end           uint64
	mask          uint64
	text          []byte
	slice, found  []region
	words         []byte
}

func newBare(t testing.TB, r *Reader, pid int, end uint64) *bare {
	dir := "/proc/" + strconv.Itoa(pid)
	b := &bare{mask: r.pages.mask, end: end, slice: make([]region, scanSlice), words: make([]byte, 256<<10)}
	for fd, name := range map[*int]string{&b.maps: "/maps", &b.pagemap: "/pagemap"} {
		var err error
		if *fd, err = unix.Open(dir+name, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(*fd) })
	}
	return b
}

func (b *bare) read() (err error) {
	if b.text, err = readAll(b.maps, b.text); err != nil {
		return err
	}
	b.found = b.found[:0]
	for at, n := uint64(0), scanSlice; n == scanSlice; {
		var end uint64
		if n, end, err = scanOnce(b.pagemap, vmspace.Range{Start: at, End: b.end}, b.mask, 0, b.slice); err != nil {
			return err
		}
		if b.found = append(b.found, b.slice[:n]...); n > 0 {
			at = max(end, b.slice[n-1].end)
		}
	}
	for i := 0; i < len(b.found); {
		start, k := b.found[i].start, i+1
		for k < len(b.found) && b.found[k].start-b.found[k-1].end <= readGap*pg {
			k++
		}
		for end := b.found[k-1].end; start < end; start += uint64(len(b.words)) / 8 * pg {
			n := min(uint64(len(b.words)), (end-start)/pg*8)
			if _, err := preadFull(b.pagemap, b.words[:n], int64(start/pg*8)); err != nil {
				return err
			}
		}
		i = k
	}
	return nil
}

// BenchmarkSpace: a snapshot of each space, nothing known before, against the bare calls: with one
// thread, with two, gently; and gently again, with the last snapshot known, as watch does it.
func BenchmarkSpace(b *testing.B) {
	for i := range layouts {
		s := &layouts[i]
		b.Run(s.name, func(b *testing.B) {
			p, _ := s.start(b, s.size)
			family := p.family()[:1]
			one, two := newReader(b, Options{Workers: 1, KPageBudget: -1}), newReader(b, Options{Workers: 2, KPageBudget: -1})
			gentle := newReader(b, Options{Gentle: true, KPageBudget: -1})
			limit := newBare(b, one, family[0].PID, userEnd(read(b, one, family).Processes[0].Mappings))
			again := newReader(b, Options{Gentle: true, KPageBudget: -1})
			read(b, again, family)
			readers := []*Reader{one, two, gentle, again}
			took := [5]time.Duration{time.Hour, time.Hour, time.Hour, time.Hour, time.Hour} // the least of each: what disturbs only adds
			for b.Loop() {
				start := time.Now()
				check(b, limit.read())
				took[4] = min(took[4], time.Since(start))
				for i, r := range readers {
					if r != again {
						r.last = nil
						for _, f := range r.procs {
							f.text, f.list = nil, vmspace.List[vmspace.Mapping]{}
						}
					}
					runtime.GC() // what the last snapshot left is not this one's business
					start := time.Now()
					read(b, r, family)
					took[i] = min(took[i], time.Since(start))
				}
			}
			for i, name := range []string{"one/bare", "two/bare", "gentle/bare", "again/bare"} {
				b.ReportMetric(float64(took[i])/float64(took[4]), name)
			}
			b.ReportMetric(float64(took[4].Microseconds())/1000, "ms/bare")
			b.ReportMetric(float64(gentle.Cost().Longest.Microseconds()), "µs/longest")
		})
	}
}

// BenchmarkStream: the JSON of each space with all counters against the bare calls, and smaps
// besides; and against pmap -X, a program of its own that leaves the pages out, where it is
// installed.
func BenchmarkStream(b *testing.B) {
	for i := range layouts {
		s := &layouts[i]
		b.Run(s.name, func(b *testing.B) {
			p, _ := s.start(b, s.size)
			m := p.family()[0]
			r := newReader(b, Options{})
			limit := newBare(b, r, m.PID, userEnd(read(b, r, []vmspace.Member{m}).Processes[0].Mappings))
			smaps, err := unix.Open("/proc/"+strconv.Itoa(m.PID)+"/smaps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			check(b, err)
			defer unix.Close(smaps)
			ours, bare := time.Hour, time.Hour // the least: what disturbs only adds
			for b.Loop() {
				start := time.Now()
				check(b, limit.read())
				limit.text, err = readAll(smaps, limit.text)
				check(b, err)
				bare = min(bare, time.Since(start))
				start = time.Now()
				check(b, r.Stream(ctx, m, vmspace.NewJSON(io.Discard, pg, r.features.Frames, nil)))
				ours = min(ours, time.Since(start))
			}
			b.ReportMetric(float64(ours)/float64(bare), "ours/bare")
			b.ReportMetric(float64(bare.Microseconds())/1000, "ms/bare")
			if pmap, err := exec.LookPath("pmap"); err == nil {
				start := time.Now()
				check(b, exec.Command(pmap, "-X", strconv.Itoa(m.PID)).Run())
				b.ReportMetric(float64(ours)/float64(time.Since(start)), "ours/pmap-X")
			}
		})
	}
}
