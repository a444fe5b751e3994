package observe

import (
	"bytes"
	"time"

	"cowscope/vmspace"
)

// smapsPiece is the size in bytes of the text that is parsed while the next piece is read: the
// kernel counts pages for every line, and that is most of the time that smaps takes.
const smapsPiece = 128 << 10

// readSmaps reads and parses smaps piece by piece.
func (r *Reader) readSmaps(f *procFiles) (vmspace.List[vmspace.Mapping], error) {
	var list vmspace.ListBuilder[vmspace.Mapping]
	r.smaps.Reset()
	blank, full := make(chan []byte, 2), make(chan []byte, 2)
	blank <- nil
	blank <- nil
	var readErr error
	go func() {
		defer close(full)
		off := int64(0)
		for buf := range blank {
			if buf == nil {
				buf = make([]byte, 0, smapsPiece)
			}
			var n int
			if buf, n, readErr = r.fillPiece(f.smaps, buf[:0], off); n == 0 || readErr != nil {
				return
			}
			off += int64(n)
			full <- buf
		}
	}()
	var err error
	var rest []byte // of a line that continues in the next piece
	for piece := range full {
		text := piece
		if err == nil && len(rest) > 0 {
			i := bytes.IndexByte(text, '\n') + 1
			rest = append(rest, text[:i]...)
			text = text[i:]
			if i > 0 {
				err = r.smaps.Parse(rest)
				rest = rest[:0]
			}
		}
		if i := bytes.LastIndexByte(text, '\n') + 1; err == nil {
			err = r.smaps.Parse(text[:i])
			rest = append(rest, text[i:]...)
			list.Add(r.smaps.Taken())
		}
		if err != nil {
			break
		}
		blank <- piece
	}
	close(blank)
	for range full {
	}
	if err == nil {
		err = readErr
	}
	if err == nil && len(rest) > 0 {
		err = r.smaps.Parse(rest)
	}
	list.Add(r.smaps.Taken())
	return list.List(), err
}

// fillPiece reads from off until buf is nearly full or the text ends.
func (r *Reader) fillPiece(fd int, buf []byte, off int64) ([]byte, int, error) {
	for cap(buf)-len(buf) >= 8<<10 {
		start := time.Now()
		n, err := pread(fd, buf[len(buf):cap(buf)], off+int64(len(buf)))
		r.pages.pace.took(start)
		if err != nil || n == 0 {
			return buf, len(buf), err
		}
		buf = buf[:len(buf)+n]
	}
	return buf, len(buf), nil
}
