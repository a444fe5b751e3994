package watch

import (
	"context"
	"io"
	"time"
)

// Stream writes every picture of the family that differs from the one before as a line of JSON, and
// the one that it begins with, and looks at it so often. It ends when the first process has ended,
// or when ctx is done, which is no error.
func (l *Lab) Stream(ctx context.Context, w io.Writer, every time.Duration) error {
	clock := time.NewTicker(every)
	defer clock.Stop()
	for st := l.last(); ; {
		if st != nil {
			if err := st.WritePicture(w, time.Now()); err != nil {
				return err
			}
			if p := st.After.Process("p1"); p == nil || !p.Alive() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-clock.C:
		}
		var err error
		if st, err = l.Poll(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}
