package observe

import (
	"encoding/binary"
	"math"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: /proc/kpagecount and /proc/kpageflags, one word per frame, root only
// (Documentation/admin-guide/mm/pagemap.rst). There is one read for each run of consecutive frames.
// The budget bounds the frames of one snapshot, except for pages whose state depends on the flags,
// which occur only without PAGEMAP_SCAN. A count that was not read is -1, flags that were not read
// are 0.

// kpage holds the two files; nil if they may not be read.
type kpage struct {
	count, flags int
	kept         uint64        // the bits of the flags that are kept: lasting and trusted
	words        [2][]byte     // scratch
	out          []vmspace.Run // scratch
	begin        uint64        // where the current mapping begins: no run crosses that
}

func openKPage() *kpage {
	k := &kpage{count: -1, flags: -1, kept: vmspace.KKept}
	for path, fd := range map[string]*int{"/proc/kpagecount": &k.count, "/proc/kpageflags": &k.flags} {
		n, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
		if err != nil {
			k.close()
			return nil
		}
		*fd = n
	}
	return k
}

func (k *kpage) close() {
	if k == nil {
		return
	}
	for _, fd := range []int{k.count, k.flags} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// fill reads count and flags of the frames of runs, as far as the budget allows, and splits runs
// where they differ. A page outside core whose word and frame are those in old keeps the values of
// old. The slice is valid until the next call.
func (k *kpage) fill(runs []vmspace.Run, maps vmspace.List[vmspace.Mapping], budget *int, haveScan bool, old vmspace.List[vmspace.Run], core []vmspace.Range) []vmspace.Run {
	k.out = k.out[:0]
	at, prev := maps.Walk(0), old.Walk(0)
	if len(runs) > 0 {
		at, prev = maps.Walk(runs[0].Start), old.Walk(runs[0].Start)
	}
	for _, r := range runs {
		if r.Frame == 0 || *budget <= 0 && old.Len() == 0 && r.State != vmspace.Unknown {
			k.out = append(k.out, r)
			continue
		}
		for at.Item() != nil && at.Item().End <= r.Start {
			at.Next()
		}
		if at.Item() == nil {
			k.out = append(k.out, r)
			continue
		}
		c := at.Item().Class()
		k.begin = at.Item().Start
		for r.Pages > 0 {
			for prev.Item() != nil && prev.Item().Bounds().End <= r.Start {
				prev.Next()
			}
			var o *vmspace.Run
			part := r
			if o = prev.Item(); o != nil {
				part, o = keepable(r, o, core)
			}
			if o == nil {
				k.read(part, c, budget, haveScan)
			} else {
				part.KFlags, part.Mapcount = o.KFlags, o.Mapcount
				k.emit(part, c, haveScan)
			}
			r = r.Clip(vmspace.Range{Start: part.Bounds().End, End: r.Bounds().End})
		}
	}
	return k.out
}

// keepable returns the longest first part of r to which one rule applies, and o if that part may
// keep the values of o.
func keepable(r vmspace.Run, o *vmspace.Run, core []vmspace.Range) (vmspace.Run, *vmspace.Run) {
	b := r.Bounds()
	for _, c := range core {
		if c.Contains(b.Start) {
			return r.Clip(vmspace.Range{Start: b.Start, End: c.End}), nil
		}
		if c.Start > b.Start {
			b.End = min(b.End, c.Start)
			break
		}
	}
	if ob := o.Bounds(); ob.Start > b.Start {
		return r.Clip(vmspace.Range{Start: b.Start, End: min(b.End, ob.Start)}), nil
	} else if b.End = min(b.End, ob.End); o.Mapcount < 0 || o.Word != r.Word || o.Clip(b).Frame != r.Frame ||
		o.Clip(b).FrameOf(o.Clip(b).Pages-1) != r.Clip(b).FrameOf(r.Clip(b).Pages-1) {
		return r.Clip(b), nil
	}
	return r.Clip(b), o
}

// read asks for count and flags of the frames of r.
func (k *kpage) read(r vmspace.Run, c vmspace.Class, budget *int, haveScan bool) {
	n := r.Pages
	if r.FrameOf(1) == r.Frame {
		n = 1
	}
	if m := uint64(max(*budget, 0)); n > m && r.State != vmspace.Unknown {
		n = m
	}
	*budget -= int(min(n, uint64(max(*budget, 0))))
	for i := range k.words {
		if uint64(cap(k.words[i])) < n*8 {
			k.words[i] = make([]byte, n*8)
		}
	}
	counts, flags := k.words[0][:n*8], k.words[1][:n*8]
	got, _ := preadFull(k.count, counts, int64(r.Frame*8))
	got2, _ := preadFull(k.flags, flags, int64(r.Frame*8))
	n = uint64(min(got, got2) / 8)
	for i := range n {
		one := r.Clip(vmspace.Range{Start: r.Start + i*r.PageSize(), End: r.Start + (i+1)*r.PageSize()})
		if r.FrameOf(1) == r.Frame {
			one = r
		}
		one.Mapcount = int32(min(binary.NativeEndian.Uint64(counts[i*8:]), math.MaxInt32))
		one.KFlags = binary.NativeEndian.Uint64(flags[i*8:]) & k.kept
		k.emit(one, c, haveScan)
		if one.Pages == r.Pages {
			return
		}
	}
	if n < r.Pages {
		k.emit(r.Clip(vmspace.Range{Start: r.Start + n*r.PageSize(), End: r.Bounds().End}), c, haveScan)
	}
}

// emit classifies r again with its flags and appends it, or extends the previous run by it.
func (k *kpage) emit(r vmspace.Run, c vmspace.Class, haveScan bool) {
	if r.Mapcount >= 0 {
		r.State, r.Attrs = c.Classify(vmspace.Evidence{Word: r.Word, Scan: r.Scan, KFlags: r.KFlags, HaveScan: haveScan,
			HaveKFlags: true, ZeroFrame: r.State == vmspace.Zero, Mapcount: r.Mapcount})
	}
	k.out = appendRun(k.out, r, r.Start == k.begin)
}
