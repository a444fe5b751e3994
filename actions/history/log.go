package history

import (
	"math/bits"
	"slices"
	"sync"
	"unsafe"

	"cowscope/vmspace"
)

// Rules of this file: a history that grows for as long as somebody likes takes bounded memory. The
// newest steps are all there. Of older ones there is one in four, of those that are twice as old
// one in sixteen, and so on: whoever walks back meets fewer and fewer, and each as it was when it
// was new. The first one stays, and so do those that somebody asked to keep. Whoever needs all of
// them follows: it is told of each step as it happens.

// Room is how much a Log holds.
type Room struct {
	Steps int // the newest ones, which are all there as long as they are light
	// Bytes is about how much memory the steps take. Where so many take more than that, fewer of
	// the newest are all there.
	Bytes  int
	Forget bool // older ones are not kept thinly, but not at all
}

// Ample is for what somebody walks back through, and Brief for what nobody does: it is as far back
// as explanations look for what a step may have to do with.
var (
	Ample = Room{Steps: 4096, Bytes: 128 << 20}
	Brief = Room{Steps: 256, Bytes: 8 << 20, Forget: true}
)

// fewest is how many of the newest steps are there however much memory each takes.
const fewest = 8

// Log is a history that is being made. Its methods may be called from any goroutine.
type Log struct {
	room Room

	adding    sync.Mutex // held while a step is added, and followers are told
	followers []func(*Step)

	mu      sync.Mutex // guards what follows
	steps   []*Step
	weights []int // of each step, beside what it shares with the one before it here
	weight  int   // of all
	made    int
	next    int          // how many steps there may be before older ones are looked at again
	keep    map[int]bool // numbers of steps that stay
}

// NewLog makes a Log without a step.
func NewLog(room Room) *Log { return &Log{room: room, next: room.Steps + room.Steps/4} }

// Add gives st its number, and puts it at the end. Then nobody may change it.
func (l *Log) Add(st *Step) {
	l.adding.Lock()
	defer l.adding.Unlock()
	l.put(st)
	for _, f := range l.followers {
		f(st)
	}
}

func (l *Log) put(st *Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st.N = l.made
	l.made++
	w := 0
	if n := len(l.steps); n > 0 {
		w = st.beside(l.steps[n-1])
	}
	l.steps, l.weights = append(l.steps, st), append(l.weights, w)
	l.weight += w
	if len(l.steps) > l.next || l.weight > l.room.Bytes {
		l.thin()
	}
}

// Follow tells f of every step from number from on: of those that are there now, and of each new one
// as it happens, in order, before the one who made it goes on. f adds no step.
func (l *Log) Follow(from int, f func(*Step)) {
	l.adding.Lock()
	defer l.adding.Unlock()
	for _, st := range l.Steps() {
		if st.N >= from {
			f(st)
		}
	}
	l.followers = append(l.followers, f)
}

// Keep has step n stay as long as the Log, if it is there. Each takes its memory for good.
func (l *Log) Keep(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keep == nil {
		l.keep = map[int]bool{}
	}
	l.keep[n] = true
}

// Steps are those that are there, oldest first. The slice is the caller's own.
func (l *Log) Steps() []*Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.steps[:len(l.steps):len(l.steps)]
}

// Recent are the newest steps of Steps, as far back as none is missing.
func (l *Log) Recent() []*Step {
	steps := l.Steps()
	first := 0
	if n := len(steps); n > 0 && steps[n-1].N != steps[0].N+n-1 {
		for first = n - 1; Missing(steps, first) == 0; first-- {
		}
	}
	return steps[first:]
}

// Last is the newest step.
func (l *Log) Last() *Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.steps[len(l.steps)-1]
}

// Missing is how many steps are no longer there between step i of steps and the one before it.
func Missing(steps []*Step, i int) int {
	if i == 0 {
		return steps[0].N
	}
	return steps[i].N - steps[i-1].N - 1
}

// At is the index of step n of steps, or of the last one before it that is there.
func At(steps []*Step, n int) int {
	i, ok := slices.BinarySearchFunc(steps, n, func(st *Step, n int) int { return st.N - n })
	if !ok {
		i--
	}
	return max(i, 0)
}

// thin lets go of older steps: of so many that what stays is half of what may be, so that this is
// seldom done.
func (l *Log) thin() {
	for recent := max(l.room.Steps, fewest); ; recent /= 2 {
		l.keepRecent(recent)
		if l.weight <= l.room.Bytes/2 || recent/2 < fewest {
			break
		}
	}
	l.next = len(l.steps) + l.room.Steps/4
}

// keepRecent lets go of steps that are older than so many, by the rule of this file.
func (l *Log) keepRecent(recent int) {
	steps, weights, weight := make([]*Step, 0, len(l.steps)), make([]int, 0, len(l.steps)), 0
	for i, st := range l.steps {
		if !l.stays(st.N, recent) {
			continue
		}
		w := 0
		switch n := len(steps); {
		case n == 0:
		case steps[n-1] == l.steps[i-1]:
			w = l.weights[i]
		default:
			w = st.beside(steps[n-1])
		}
		steps, weights, weight = append(steps, st), append(weights, w), weight+w
	}
	l.steps, l.weights, l.weight = steps, weights, weight
}

func (l *Log) stays(n, recent int) bool {
	older := bits.Len(uint((l.made - 1 - n) / recent)) // 0 for the newest, then one more for each time that the age doubles
	if older == 0 || l.keep[n] {
		return true
	}
	return !l.room.Forget && n&(1<<(2*older)-1) == 0
}

// beside is about how many bytes of memory the step takes beside what it shares with one that was
// before it.
func (st *Step) beside(o *Step) int {
	bytes := int(unsafe.Sizeof(*st)) + len(st.Bytes) + len(st.Changes)*int(unsafe.Sizeof(vmspace.Change{})) + len(st.Claims)*int(unsafe.Sizeof(Claim{})) + weigh(st.Faults)
	for _, text := range []string{st.Command, st.Event, st.Call, st.Want, st.Got, st.Evidence, st.Why} {
		bytes += len(text)
	}
	if st.At != nil {
		bytes += int(unsafe.Sizeof(*st.At)) + len(st.At.Text)
		for _, name := range st.At.Callers {
			bytes += int(unsafe.Sizeof(name)) + len(name)
		}
	}
	if len(st.Files) > 0 && (len(o.Files) == 0 || &st.Files[0] != &o.Files[0]) {
		bytes += len(st.Files) * int(unsafe.Sizeof(File{}))
	}
	if st.Before != o.After {
		bytes += st.Before.Beside(o.After)
	}
	return bytes + st.After.Beside(st.Before)
}
