package fault

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// BenchmarkRings is the time of a program that does nothing but take page faults, watched by the
// rings against alone, as the median of pairs: that on the clock, and that of the CPU, which other
// programs disturb less; and how many of a million faults were lost.
func BenchmarkRings(b *testing.B) {
	const pages = 1 << 17 // 512 MiB of pages of 4 KiB
	p := start(b)
	p.ask("free")
	order := fmt.Sprintf("touch %d w", pages)
	took := func() (clock, cpu float64) {
		t := p.ask(order)
		p.ask("free")
		return float64(t.To.Before - t.From.After), float64(t.To.CPU - t.From.CPU)
	}
	took() // what the kernel has to do the first time
	var clocks, cpus []float64
	var lost, all uint64
	for b.Loop() {
		clock, cpu := took()
		r := open(b, p.family)
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			var events []Event
			for {
				select {
				case <-stop:
					return
				default:
				}
				r.Wait(50 * time.Millisecond)
				var n uint64
				events, n = r.Drain(events[:0])
				lost, all = lost+n, all+uint64(len(events))+n
			}
		}()
		watched, own := took()
		close(stop)
		<-ended
		r.Close()
		r.rings, r.fds = nil, nil
		clocks, cpus = append(clocks, watched/clock), append(cpus, own/cpu)
		runtime.GC()
	}
	slices.Sort(clocks)
	slices.Sort(cpus)
	b.ReportMetric(clocks[len(clocks)/2], "ratio")
	b.ReportMetric(cpus[len(cpus)/2], "cpu-ratio")
	b.ReportMetric(float64(lost)/float64(max(all, 1))*1e6, "lost/million")
	b.ReportMetric(0, "ns/op")
}
