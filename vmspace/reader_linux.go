package vmspace

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Rules of this file: a Reader turns /proc into snapshots and keeps what makes the next one cheap. It never writes, never
// attaches, and never reads bytes but in Peek. What one process will not tell becomes that process's Err; an error of Read
// means that the Reader itself cannot go on.

// Reader reads the address spaces of a family of processes. It may be used from several goroutines, one at a time gets in.
type Reader struct {
	mu       sync.Mutex
	opt      Options
	features Features
	pages    pageReader
	kpage    *kpage
	query    querier
	crew     []worker // those who share large spaces, the first with pages and query from above
	procs    map[int]*procFiles
	text     []byte     // scratch for maps and smaps
	mappings []Mapping  // scratch
	found    []Mapping  // scratch
	held     []*reading // scratch
	core     []Range    // scratch
	runs     []Run      // scratch
	blanks   []*batch   // scratch
	smaps    smapsParser
	last     *Snapshot   // what the last Read or Update gave
	stop     func() bool // of ReadUnless
	over     atomic.Bool // Stop was called
	budget   int         // frames that may still be looked up for this snapshot
}

// maxOpen bounds the processes whose files stay open between reads.
const maxOpen = 64

// NewReader finds out what this kernel and this user allow.
func NewReader(o Options) (*Reader, error) {
	r := &Reader{opt: o.withDefaults(), procs: map[int]*procFiles{}}
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
		KPage: r.kpage != nil, Guard: r.pages.mask&ScanGuard != 0,
	}
	return r, nil
}

// selfPID is the number of this process in /proc, which may be that of another PID namespace.
func selfPID() int {
	if to, err := os.Readlink("/proc/self"); err == nil {
		if pid, err := strconv.Atoi(to); err == nil {
			return pid
		}
	}
	return os.Getpid()
}

// findZeroFrame reads a fresh page of our own, which maps the zero page, and looks up its frame: 0 where frames are hidden.
func findZeroFrame(pagemap int, size uint64) uint64 {
	b, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return 0
	}
	defer unix.Munmap(b)
	if b[0] != 0 {
		return 0
	}
	return pageWord(pagemap, addressOf(b), size) & WordFrame
}

// Features says what the Reader may use.
func (r *Reader) Features() Features { return r.features }

// Close gives the open files back.
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

// reading is one process on its way into a snapshot.
type reading struct {
	Member
	files   *procFiles
	prev    *Process // what to share with; nil where nothing is known of this process
	stat    stat
	err     error
	full    bool
	maps    List[Mapping]
	changed []Range // where the list of mappings differs from that of prev
	windows []Range // what of the pages was read, of a space not read in full
	fresh   []Run   // the pages that were read
	pages   List[Run]
	final   List[Run] // pages once the relatives were looked at
	unsure  []Range   // where the mappings changed while they were read
}

// Read reads every process of the family in full. What is as it was in the snapshot given last is shared with it: a process in
// which nothing changed is the same *Process, and if nothing changed at all the very snapshot is given again.
func (r *Reader) Read(family []Member) (*Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readAll(family), nil
}

// ReadUnless is Read that gives up with ErrStopped once stop says so; it is asked every few hundred microseconds, from one
// goroutine at a time.
func (r *Reader) ReadUnless(stop func() bool, family []Member) (*Snapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stop = stop
	defer func() { r.stop = nil }()
	all := r.begin(r.last, family)
	r.wholly(all)
	for _, g := range all {
		if errors.Is(g.err, ErrStopped) {
			return nil, ErrStopped
		}
	}
	return r.finish(r.last, all), nil
}

// Stop ends the reading under way soon, and every one after it at once: what they give is of no use. It does not wait.
func (r *Reader) Stop() { r.over.Store(true) }

// stopped is ErrStopped where nobody waits for the reading any more.
func (r *Reader) stopped() error {
	if r.over.Load() || r.stop != nil && r.stop() {
		return ErrStopped
	}
	return nil
}

// readAll reads everything and shares what it can with the last snapshot.
func (r *Reader) readAll(family []Member) *Snapshot {
	all := r.begin(r.last, family)
	r.wholly(all)
	return r.finish(r.last, all)
}

// begin looks at every process: who is there, and in what state.
func (r *Reader) begin(prev *Snapshot, family []Member) []*reading {
	r.budget = r.opt.KPageBudget
	r.startCost()
	all := make([]*reading, 0, len(family))
	for _, m := range family {
		g := &reading{Member: m}
		if prev != nil {
			g.prev = prev.Process(m.Label)
		}
		g.files, g.stat, g.err = r.open(m.PID)
		switch {
		case g.err != nil && gone(g.err):
			g.stat, g.err = stat{State: Gone}, errors.New(errGone)
		case g.err == nil && g.stat.State >= Zombie:
			g.err = errors.New(errZombie)
		}
		// The same label may by now be another process.
		if g.prev != nil && (g.prev.PID != m.PID || g.stat.State != Gone && g.prev.Started != g.stat.StartTime) {
			g.prev = nil
		}
		all = append(all, g)
	}
	for pid, f := range r.procs {
		if !slices.ContainsFunc(family, func(m Member) bool { return m.PID == pid }) {
			f.close()
			delete(r.procs, pid)
		}
	}
	return all
}

// open gives the files of a process and its stat, opening anew what belonged to an earlier process of the same number.
func (r *Reader) open(pid int) (*procFiles, stat, error) {
	if f := r.procs[pid]; f != nil {
		if st, err := f.readStat(); err == nil {
			return f, st, nil
		}
		f.close()
		delete(r.procs, pid)
	}
	f, err := openProc(pid)
	var st stat
	if err == nil {
		st, err = f.readStat()
	}
	if err != nil {
		f.close()
		return nil, st, err
	}
	r.procs[pid] = f
	return f, st, nil
}

// readFull reads mappings and pages of all those marked full, then looks for frames that relatives share.
func (r *Reader) readFull(all []*reading) {
	for _, g := range all {
		if g.full && g.err == nil {
			g.err = r.readSpace(g)
		}
		if g.err != nil && g.stat.State < Zombie {
			r.lookAgain(g)
		}
		if g.err != nil {
			g.maps, g.pages, g.fresh, g.unsure = List[Mapping]{}, List[Run]{}, nil, nil
		}
	}
}

// lookAgain finds out whether a process that could not be read died between the look at it and the reading.
func (r *Reader) lookAgain(g *reading) {
	switch _, st, err := r.open(g.PID); {
	case err != nil && gone(err):
		g.stat, g.err = stat{State: Gone}, errors.New(errGone)
	case err == nil && st.State >= Zombie:
		g.stat, g.err = st, errors.New(errZombie)
	case err == nil && gone(g.err):
		g.err = errors.New(errNoSpace)
	}
}

// finish compares relatives, shares what is as it was, and makes the snapshot.
func (r *Reader) finish(prev *Snapshot, all []*reading) *Snapshot {
	r.compareFamily(all)
	s := &Snapshot{PageSize: r.pages.size, Frames: r.pages.frames}
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

// residentOf adds up what smaps counted, where it was read. The counters of /proc/PID/stat are kept per CPU and lag behind by up to
// some dozen pages a CPU (Documentation/filesystems/proc.rst), which in a small space is everything.
func residentOf(maps List[Mapping]) (rss uint64, ok bool) {
	for _, m := range maps.All() {
		if m.Smaps == nil {
			return 0, false
		}
		rss += m.Smaps.Rss
	}
	return rss, maps.Len() > 0
}

// process makes the Process, or gives the one from before where nothing is new.
func (g *reading) process(pageSize uint64) *Process {
	p := &Process{Member: g.Member, State: g.stat.State, MinorFlt: g.stat.MinorFlt, MajorFlt: g.stat.MajorFlt,
		RSS: g.stat.RSSPages * pageSize, Started: g.stat.StartTime, Mappings: g.maps, Pages: g.pages, Changed: g.unsure, Shift: shiftOf(pageSize)}
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
