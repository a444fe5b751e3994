package watch

import (
	"sync"
	"time"

	"cowscope/vmspace/fault"
	"cowscope/vmspace/procfs"
)

// Rules of this file: page faults are drained from the kernel's rings as they fill, and added up by
// page until the next picture. What is kept is limited, however many faults there are.

const (
	drainEvery = 50 * time.Millisecond
	mostPages  = 1 << 16 // pages that are told apart between two pictures
	mostCode   = 1 << 12 // instructions, of faults on other pages
)

// act is what is added up: one thread's faults at one instruction, on one page or on pages that are
// not told apart.
type act struct {
	pid, tid int
	page     uint64
	ip       uint64
	kernel   bool
}

// acts are faults of an act.
type acts struct {
	act
	count, major uint64
	at           uint64        // the page, or the first of those that are not told apart
	first        time.Duration // when the first was taken
}

// collector drains the rings of a family.
type collector struct {
	rings *fault.Rings
	page  uint64
	stop  chan struct{}
	ended chan struct{}

	mu     sync.Mutex
	events []fault.Event
	pages  map[act]*acts
	others map[act]*acts // of no page
	lost   uint64
}

// collect begins to collect the faults of a process and those that it has started.
func collect(root int, pageSize uint64) (*collector, error) {
	rings, err := fault.Open(func() []int {
		pids := []int{root}
		for _, d := range procfs.Descendants(root) {
			pids = append(pids, d.PID)
		}
		return pids
	})
	if err != nil {
		return nil, err
	}
	c := &collector{rings: rings, page: pageSize, stop: make(chan struct{}), ended: make(chan struct{})}
	c.forget()
	go c.run()
	return c, nil
}

func (c *collector) forget() { c.pages, c.others, c.lost = map[act]*acts{}, map[act]*acts{}, 0 }

func (c *collector) run() {
	defer close(c.ended)
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		if c.rings.Wait(drainEvery) != nil {
			return // take drains all the same
		}
		c.mu.Lock()
		c.drain()
		c.mu.Unlock()
	}
}

// close ends the collecting.
func (c *collector) close() error {
	if c == nil {
		return nil
	}
	close(c.stop)
	<-c.ended
	return c.rings.Close()
}

func (c *collector) drain() {
	events, lost := c.rings.Drain(c.events[:0])
	c.events = events
	c.lost += lost
	for _, e := range events {
		c.add(e)
	}
}

// add counts an event.
func (c *collector) add(e fault.Event) {
	switch e.Kind {
	case fault.Exec:
		for key, a := range c.pages {
			if key.pid == e.PID { // those pages are gone
				c.unplace(a)
				delete(c.pages, key)
			}
		}
		return
	case fault.Exit:
		return
	}
	key := act{e.PID, e.TID, e.Addr &^ (c.page - 1), e.IP, e.Kernel}
	a := c.pages[key]
	if a == nil {
		a = &acts{act: key, at: key.page, first: e.Time}
		if len(c.pages) < mostPages {
			c.pages[key] = a
		} else {
			a.tell(e)
			c.unplace(a)
			return
		}
	}
	a.tell(e)
}

func (a *acts) tell(e fault.Event) {
	a.count++
	if e.Major {
		a.major++
	}
}

// unplace counts faults among those on pages that are not told apart.
func (c *collector) unplace(a *acts) {
	key := a.act
	key.page = 0
	if all := c.others[key]; all != nil {
		all.count += a.count
		all.major += a.major
		return
	}
	if len(c.others) >= mostCode {
		c.lost += a.count
		return
	}
	other := *a
	other.act = key
	c.others[key] = &other
}

// taken are the faults since the last time: on pages that are told apart, and on others.
type taken struct {
	pages, others []*acts
	lost          uint64
}

func (t *taken) add(o taken) {
	t.pages, t.others, t.lost = append(t.pages, o.pages...), append(t.others, o.others...), t.lost+o.lost
}

// take gives what was taken since the last time. A nil collector has nothing.
func (c *collector) take() (t taken) {
	if c == nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain()
	for _, a := range c.pages {
		t.pages = append(t.pages, a)
	}
	for _, a := range c.others {
		t.others = append(t.others, a)
	}
	t.lost = c.lost
	if len(t.pages)+len(t.others) > 0 || t.lost > 0 {
		c.forget()
	}
	return t
}

// keep has faults taken again the next time.
func (c *collector) keep(late []*acts) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range late {
		if newer := c.pages[a.act]; newer != nil {
			a.count, a.major = a.count+newer.count, a.major+newer.major
		}
		c.pages[a.act] = a
	}
}
