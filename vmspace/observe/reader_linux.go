package observe

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"sync"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: a Reader turns /proc into snapshots and keeps what makes the next one
// cheaper. It never writes or attaches to a process, and reads bytes only in Peek. If one process
// cannot be read, the reason is in that process's Err; an error of Observe means that the Reader
// itself cannot continue.

// Reader reads the address spaces of a family of processes. Several goroutines may use it; their
// calls run one at a time.
type Reader struct {
	mu       sync.Mutex
	opt      Options
	features Features
	pages    pageReader
	kpage    *kpage
	query    querier
	pool     []worker // workers for large spaces; the first uses pages and query above
	procs    map[int]*procFiles
	text     []byte            // scratch for maps and smaps
	mappings []vmspace.Mapping // scratch
	found    []vmspace.Mapping // scratch
	held     []*reading        // scratch
	core     []vmspace.Range   // scratch
	runs     []vmspace.Run     // scratch
	blanks   []*batch          // scratch
	smaps    procfs.SmapsParser
	last     *vmspace.Snapshot // the snapshot returned last
	ctx      context.Context   // of the current reading
	budget   int               // frames that may still be looked up for this snapshot
}

// maxOpen bounds the number of processes whose files stay open between readings.
const maxOpen = 64

// NewReader finds out what this kernel and this user permit.
func NewReader(o Options) (*Reader, error) {
	r := &Reader{ctx: context.Background(), opt: o.withDefaults(), procs: map[int]*procFiles{}}
	size := uint64(unix.Getpagesize())
	r.pages = pageReader{size: size, shift: uint8(bits.TrailingZeros64(size)), slice: make([]region, scanSlice)}
	r.pages.pace.gentle = o.Gentle
	r.pages.stopped = r.stopped
	self, err := openProc(selfPID())
	if err == nil {
		err = self.need(&self.maps, "maps")
	}
	if err == nil {
		err = self.need(&self.pagemap, "pagemap")
	}
	if err != nil {
		self.close()
		return nil, fmt.Errorf("cowscope cannot read its own address space in /proc: %w", err)
	}
	defer self.close()
	if !o.NoScan {
		r.pages.mask = probeScan(self.pagemap, size, r.pages.slice)
	}
	if !o.NoFrames {
		r.pages.zeroFrame = findZeroFrame(self.pagemap, size)
		r.pages.frames = r.pages.zeroFrame != 0
	}
	if r.pages.frames && !o.NoKPage {
		r.kpage = openKPage()
	}
	t, err := believe(self.pagemap, size, r.pages.mask, r.pages.slice, r.pages.frames, r.kpage)
	if err != nil {
		r.kpage.close()
		return nil, err
	}
	r.pages.lies, r.pages.mask = ^t.word, t.scan
	if r.kpage != nil {
		r.kpage.kept = t.kflags
	}
	r.pages.nodes = r.pages.mask == 0 && !r.pages.frames && !o.NoNodes && probeNodes(size)
	r.features = Features{
		Nodes:      r.pages.nodes,
		Distrusted: t.distrust,
		Scan:       r.pages.mask != 0, Query: !o.NoQuery && r.query.probe(self.maps), Frames: r.pages.frames,
		KPage: r.kpage != nil, Guard: r.pages.mask&vmspace.ScanGuard != 0,
	}
	return r, nil
}

// selfPID is the pid of this process in /proc, which may be mounted from another PID namespace.
func selfPID() int {
	if to, err := os.Readlink("/proc/self"); err == nil {
		if pid, err := strconv.Atoi(to); err == nil {
			return pid
		}
	}
	return os.Getpid()
}

// findZeroFrame reads an untouched page of this process, which maps the zero page, and returns its
// frame: 0 if frames are hidden.
func findZeroFrame(pagemap int, size uint64) uint64 {
	b, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return 0
	}
	defer unix.Munmap(b)
	if b[0] != 0 {
		return 0
	}
	return pageWord(pagemap, addressOf(b), size) & vmspace.WordFrame
}

// Features returns what the Reader may use.
func (r *Reader) Features() Features { return r.features }

// Close closes the open files.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid, f := range r.procs {
		f.close()
		delete(r.procs, pid)
	}
	r.kpage.close()
	r.kpage, r.last, r.features.KPage = nil, nil, false
	return nil
}

// reading is the state of one process while a snapshot is made.
type reading struct {
	vmspace.Member
	files   *procFiles
	prev    *vmspace.Process // shares unchanged parts; nil if nothing is known of this process
	stat    procfs.Stat
	err     error
	full    bool
	idle    bool // nothing of it is read: it is as in prev
	maps    vmspace.List[vmspace.Mapping]
	changed []vmspace.Range // where the list of mappings differs from that of prev
	windows []vmspace.Range // the parts whose pages were read, if the space was not read in full
	fresh   []vmspace.Run   // the pages that were read
	pages   vmspace.List[vmspace.Run]
	final   vmspace.List[vmspace.Run] // the pages after the comparison with relatives
	unsure  []vmspace.Range           // where the mappings changed while they were read
}

// Observe reads the address spaces of a family. may is what can differ from the snapshot returned
// last: everything else is taken from that snapshot. Unchanged parts are shared with it: an
// unchanged process is the same *Process, and if nothing changed at all the same snapshot is
// returned. If one process cannot be read, its Err says why. A cancelled reading ends with the
// error of ctx, which is checked every few hundred microseconds.
func (r *Reader) Observe(ctx context.Context, family []vmspace.Member, may Scope) (*vmspace.Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
	all := r.read(family, may)
	if err := r.stopped(); err != nil {
		return nil, err
	}
	return r.finish(r.last, all), nil
}

// read reads as little as possible.
func (r *Reader) read(family []vmspace.Member, may Scope) []*reading {
	spans := spansOf(may.touched, r.pages.size)
	known := may.known && r.last != nil && sameFamily(r.last, family)
	if known && may.held != nil && r.features.Query {
		all := r.hold(r.last, may)
		if all != nil && r.glance(all, spans, may) && !r.guesses(all) {
			return all
		}
		known = false
	}
	if known && may.part {
		if all := r.alone(family, may, spans); all != nil {
			return all
		}
	}
	all := r.begin(r.last, family)
	if !known || !r.partial(all, spans, may.part) || r.guesses(all) {
		r.wholly(all)
	}
	return all
}

// stopped is the error of a cancelled reading.
func (r *Reader) stopped() error { return r.ctx.Err() }

// begin reads the state of every process.
func (r *Reader) begin(prev *vmspace.Snapshot, family []vmspace.Member) []*reading {
	r.budget = r.opt.KPageBudget
	r.startCost()
	all := make([]*reading, 0, len(family))
	for _, m := range family {
		var p *vmspace.Process
		if prev != nil {
			p = prev.Process(m.Label)
		}
		all = append(all, r.state(m, p))
	}
	for pid, f := range r.procs {
		if !slices.ContainsFunc(family, func(m vmspace.Member) bool { return m.PID == pid }) {
			f.close()
			delete(r.procs, pid)
		}
	}
	return all
}

// state reads the state of a process, which was prev.
func (r *Reader) state(m vmspace.Member, prev *vmspace.Process) *reading {
	g := &reading{Member: m, prev: prev}
	g.files, g.stat, g.err = r.open(m.PID)
	switch {
	case g.err != nil && gone(g.err):
		g.stat, g.err = procfs.Stat{State: vmspace.Gone}, errors.New(errGone)
	case g.err == nil && g.stat.State >= vmspace.Zombie:
		g.err = errors.New(errZombie)
	}
	// The same label may now stand for another process.
	if prev != nil && (prev.PID != m.PID || g.stat.State != vmspace.Gone && prev.Started != g.stat.StartTime) {
		g.prev = nil
	}
	return g
}

// Forget closes what is open of the memory of a process that has executed a program. A reading also
// notices that by itself, but for a program that was executed with the same addresses, as it may be
// without randomisation.
func (r *Reader) Forget(pid int) {
	if f := r.procs[pid]; f != nil {
		f.forget()
	}
}

// open returns the files of a process and its stat, and reopens files that belonged to an earlier
// process with the same pid.
func (r *Reader) open(pid int) (*procFiles, procfs.Stat, error) {
	if f := r.procs[pid]; f != nil {
		if st, err := f.readStat(); err == nil {
			if is := programOf(st); is != f.program {
				f.forget()
				f.program = is
			}
			return f, st, nil
		}
		f.close()
		delete(r.procs, pid)
	}
	f, err := openProc(pid)
	var st procfs.Stat
	if err == nil {
		st, err = f.readStat()
	}
	if err != nil {
		f.close()
		return nil, st, err
	}
	f.program = programOf(st)
	r.procs[pid] = f
	return f, st, nil
}

// readFull reads mappings and pages of all readings marked full, then compares relatives.
func (r *Reader) readFull(all []*reading) {
	for _, g := range all {
		if g.full && g.err == nil {
			g.err = r.readSpace(g)
		}
		if g.err != nil && g.stat.State < vmspace.Zombie {
			r.lookAgain(g)
		}
		if g.err != nil {
			g.maps, g.pages, g.fresh, g.unsure = vmspace.List[vmspace.Mapping]{}, vmspace.List[vmspace.Run]{}, nil, nil
		}
	}
}

// lookAgain finds out whether a process that could not be read died in the meantime.
func (r *Reader) lookAgain(g *reading) {
	switch _, st, err := r.open(g.PID); {
	case err != nil && gone(err):
		g.stat, g.err = procfs.Stat{State: vmspace.Gone}, errors.New(errGone)
	case err == nil && st.State >= vmspace.Zombie:
		g.stat, g.err = st, errors.New(errZombie)
	case err == nil && gone(g.err):
		g.err = errors.New(errNoSpace)
	}
}

// finish compares relatives, shares unchanged parts, and makes the snapshot.
func (r *Reader) finish(prev *vmspace.Snapshot, all []*reading) *vmspace.Snapshot {
	r.compareFamily(all)
	s := &vmspace.Snapshot{PageSize: r.pages.size, Frames: r.pages.frames}
	same := prev != nil && prev.PageSize == s.PageSize && prev.Frames == s.Frames && len(prev.Processes) == len(all)
	for i, g := range all {
		p := g.process(s.PageSize)
		s.Processes = append(s.Processes, p)
		same = same && prev.Processes[i] == p
	}
	if same {
		s = prev
	}
	r.last = s
	for pid, f := range r.procs {
		if len(r.procs) <= maxOpen {
			break
		}
		f.close()
		delete(r.procs, pid)
	}
	return s
}

// residentOf adds up the resident sizes in smaps, if it was read. The counters of /proc/PID/stat
// are kept per CPU and can be several dozen pages per CPU behind
// (Documentation/filesystems/proc.rst), which matters in a small space.
func residentOf(maps vmspace.List[vmspace.Mapping]) (rss uint64, ok bool) {
	for _, m := range maps.All() {
		if m.Smaps == nil {
			return 0, false
		}
		rss += m.Smaps.Rss
	}
	return rss, maps.Len() > 0
}

// process makes the Process, or returns the previous one if nothing changed.
func (g *reading) process(pageSize uint64) *vmspace.Process {
	if g.idle {
		return g.prev
	}
	p := &vmspace.Process{Member: g.Member, State: g.stat.State, MinorFlt: g.stat.MinorFlt, MajorFlt: g.stat.MajorFlt,
		RSS: g.stat.RSSPages * pageSize, Started: g.stat.StartTime, Mappings: g.maps, Pages: g.pages, Changed: g.unsure, Shift: vmspace.ShiftOf(pageSize)}
	if rss, ok := residentOf(g.maps); ok {
		p.RSS = rss
	}
	if g.err != nil {
		p.Err = reason(g.err)
	}
	if o := g.prev; o != nil && o.Mappings.Same(p.Mappings) && o.Pages.Same(p.Pages) {
		q := *p
		q.Mappings, q.Pages = o.Mappings, o.Pages
		if o.SameHead(&q) {
			return o
		}
	}
	return p
}
