package watch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cowscope/actions/kernel"
	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

const victimEnv = "COWSCOPE_WATCH_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(writer) != "" {
		writes()
	}
	if kind := os.Getenv(victimEnv); kind != "" {
		if err := victimMain(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victims are processes to watch: how large they are, and how many mappings they have.
var victims = map[string]struct{ pages, mappings int }{
	"small":  {pages: 64, mappings: 4},
	"dense":  {pages: 1 << 30 / os.Getpagesize(), mappings: 200}, // 1 GiB, every page there
	"vmas":   {pages: 60_000, mappings: 60_000},
	"sparse": {pages: 1 << 40 / os.Getpagesize(), mappings: 10_000}, // 1 TiB, a page in each of them
}

// victimMain makes the memory, and says so. For each line that it reads it maps and unmaps a page
// for so many milliseconds, back to back, and answers with the 99th percentile of the pairs in
// nanoseconds. Now and then it also writes to a fresh page, which shows whoever watches that there
// is something to read.
func victimMain(kind string) error {
	v, page := victims[kind], os.Getpagesize()
	size := v.pages * page
	b, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return err
	}
	mem := func(i int) uintptr { return uintptr(b) + uintptr(i*page) }
	unix.Syscall(unix.SYS_MADVISE, mem(0), uintptr(size), unix.MADV_NOHUGEPAGE)
	populate := func(i, n int) { unix.Syscall(unix.SYS_MADVISE, mem(i), uintptr(n*page), unix.MADV_POPULATE_WRITE) }
	each := v.pages / v.mappings
	if kind != "sparse" {
		populate(0, v.pages)
	}
	for i := range v.mappings {
		if kind == "sparse" {
			populate(i*each, 1)
		}
		if i%2 == 1 {
			if _, _, errno := unix.Syscall(unix.SYS_MPROTECT, mem(i*each), uintptr(each*page), unix.PROT_READ); errno != 0 {
				return errno
			}
		}
	}
	runtime.LockOSThread()
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		ms, _ := strconv.Atoi(in.Text())
		var took []int
		for began := time.Now(); time.Since(began) < time.Duration(ms)*time.Millisecond; {
			start := time.Now()
			at, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(page), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, 1<<64-1, 0)
			if errno == 0 {
				unix.Syscall(unix.SYS_MUNMAP, at, uintptr(page), 0)
			}
			took = append(took, int(time.Since(start)))
			if len(took)%1024 == 0 {
				unix.Syscall(unix.SYS_MADVISE, mem(0), uintptr(page), unix.MADV_DONTNEED)
				populate(0, 1)
			}
		}
		slices.Sort(took)
		fmt.Println(took[len(took)*99/100])
	}
	return nil
}

// victim is such a process.
type victim struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startVictim(t testing.TB, kind string) *victim {
	t.Helper()
	v := &victim{cmd: exec.Command("/proc/self/exe")}
	v.cmd.Env = append(os.Environ(), victimEnv+"="+kind)
	v.cmd.Stderr = os.Stderr
	in, err := v.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.in, v.out = in, bufio.NewScanner(out)
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.cmd.Process.Kill()
		v.cmd.Wait()
	})
	if !v.out.Scan() || v.out.Text() != "ready" {
		t.Fatal("it is not ready: ", v.out.Text())
	}
	return v
}

// feels is the 99th percentile of what it takes to map and unmap a page, for so long.
func (v *victim) feels(t testing.TB, for_ time.Duration) time.Duration {
	t.Helper()
	fmt.Fprintln(v.in, for_.Milliseconds())
	if !v.out.Scan() {
		t.Fatal("the victim has ended")
	}
	ns, err := strconv.Atoi(strings.TrimSpace(v.out.Text()))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}

const (
	pollEvery = 500 * time.Millisecond // as the screen does
	lasts     = 10 * time.Second       // a measurement
)

// polling polls until it is stopped, as the screen does, and says what share of a CPU that took.
func polling(t testing.TB, l *Lab) (stop func() float64) {
	done, ended := make(chan struct{}), make(chan struct{})
	start, cpu := time.Now(), observe.CPUTime()
	go func() {
		defer close(ended)
		clock := time.NewTicker(pollEvery)
		defer clock.Stop()
		for {
			select {
			case <-done:
				return
			case <-clock.C:
			}
			if _, err := l.Poll(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}()
	return func() float64 {
		close(done)
		<-ended
		return float64(observe.CPUTime()-cpu) / float64(time.Since(start))
	}
}

// peak is the most memory that this process has had so far, in MiB.
func peak(t testing.TB) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	n, _ := kernel.ParseField(string(text), "VmHWM")
	return float64(n) / (1 << 20)
}

// BenchmarkWatch: what watching takes of a CPU while the process rests, and while it maps and
// unmaps a page back to back; and how much longer it takes for that, by the 99th percentile.
func BenchmarkWatch(b *testing.B) {
	for _, kind := range []string{"small", "dense", "vmas", "sparse"} {
		b.Run(kind, func(b *testing.B) {
			v := startVictim(b, kind)
			l, err := Open(context.Background(), v.cmd.Process.Pid)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			for b.Loop() {
				stop := polling(b, l)
				time.Sleep(lasts)
				rest := stop()
				alone := v.feels(b, lasts/2)
				stop = polling(b, l)
				beside := v.feels(b, lasts)
				busy := stop()
				b.ReportMetric(100*rest, "%cpu-rest")
				b.ReportMetric(100*busy, "%cpu-busy")
				b.ReportMetric(float64(alone.Nanoseconds())/1e3, "µs-p99/alone")
				b.ReportMetric(float64(beside)/float64(alone), "p99/alone")
				b.ReportMetric(float64(l.cost.longest.Microseconds()), "µs-longest")
				b.ReportMetric(peak(b), "MiB-peak")
			}
		})
	}
}
