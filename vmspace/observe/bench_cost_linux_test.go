package observe

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// prober is a thread of the puppet that maps and unmaps a page back to back, and notes how long
// each pair takes: what a process that is watched feels of it.
type prober struct {
	on    atomic.Bool
	done  sync.WaitGroup
	count [100000]int // pairs by microseconds
}

var probe prober

// order starts the thread, or stops it and gives in microseconds the 99th percentile, 32 bits up,
// and the longest.
func (p *prober) order(on bool) uint64 {
	if on {
		p.on.Store(true)
		p.count = [len(p.count)]int{}
		p.done.Go(p.run)
		return 0
	}
	p.on.Store(false)
	p.done.Wait()
	all, slowest := 0, 0
	for us, n := range p.count {
		if all += n; n > 0 {
			slowest = us
		}
	}
	for us, n := range p.count {
		if all -= n; all*100 <= p.pairs() {
			return uint64(us+1)<<32 | uint64(slowest+1)
		}
	}
	return 0
}

// pairs is how many there were.
func (p *prober) pairs() (n int) {
	for _, x := range p.count {
		n += x
	}
	return n
}

func (p *prober) run() {
	runtime.LockOSThread()
	for p.on.Load() {
		start := time.Now()
		at, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(pg), rw, private, 1<<64-1, 0)
		if errno == 0 {
			unix.Syscall(unix.SYS_MUNMAP, at, uintptr(pg), 0)
		}
		p.count[min(int(time.Since(start)/time.Microsecond), len(p.count)-1)]++
	}
}

// BenchmarkWatched: what another thread of the process feels while it is read back to back: by
// nobody, by a reader in a hurry, by a gentle one. The 99th percentile and the longest of its
// pairs, the gentle reader's longest slice in the middle one of its readings (the machine's other
// work stretches some), and how much longer it takes.
func BenchmarkWatched(b *testing.B) {
	for i := range layouts {
		l := &layouts[i]
		b.Run(l.name, func(b *testing.B) {
			p, _ := l.start(b, l.size)
			readers := []*Reader{nil, newReader(b, Options{KPageBudget: -1}), newReader(b, Options{Gentle: true, KPageBudget: -1})}
			var took [3]time.Duration
			var felt [3]uint64
			var slices []time.Duration
			for b.Loop() {
				for k, r := range readers {
					p.must("probe 1")
					start, reads := time.Now(), 0
					for ; time.Since(start) < 300*time.Millisecond; reads++ {
						if r == nil {
							rest(time.Millisecond)
							continue
						}
						_, err := r.Observe(ctx, p.family()[:1], Scope{})
						check(b, err)
						if k == 2 {
							slices = append(slices, r.Cost().Longest)
						}
					}
					took[k] += time.Since(start) / time.Duration(reads)
					felt[k] = max(felt[k], p.must("probe 0"))
				}
			}
			for k, name := range []string{"none", "hurry", "gentle"} {
				b.ReportMetric(float64(felt[k]>>32), "µs-p99/"+name)
				b.ReportMetric(float64(uint32(felt[k])), "µs-worst/"+name)
			}
			sort.Slice(slices, func(i, j int) bool { return slices[i] < slices[j] })
			b.ReportMetric(float64(slices[len(slices)/2].Microseconds()), "µs-slice/gentle")
			b.ReportMetric(float64(took[2])/float64(took[1]), "gentle/hurry")
		})
	}
}
