// Package runtest runs command lines of the program for tests, many of them in one process: most of
// the time that a process of cowscope takes is its start. The process, a server, is a test program
// of package main, which has the whole program and its way out. The program itself does not have
// this package.
package runtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Role is in the environment of a server.
const Role = "COWSCOPE_ROLE=server"

// patience is how long a command line may take.
const patience = 2 * time.Minute

// Line is a command line, and what surrounds it.
type Line struct {
	Args  []string
	Stdin string
	Dir   string   // "" for where the last one was
	Env   []string // added to what is there
}

// Result is what came of it.
type Result struct {
	Out, Err string
	Status   int
}

// On the way everything is bytes, since it need not be UTF-8.
type (
	request struct {
		Args, Env  [][]byte
		Stdin, Dir []byte
	}
	reply struct {
		Out, Err []byte
		Status   int
	}
)

func bytesOf(texts []string) (out [][]byte) {
	for _, t := range texts {
		out = append(out, []byte(t))
	}
	return out
}

func textsOf(all [][]byte) (out []string) {
	for _, b := range all {
		out = append(out, string(b))
	}
	return out
}

// Serve serves command lines, one after the other, until no more can come. run runs one, writes to
// out and errs, and gives the exit status.
func Serve(run func(args []string, out, errs io.Writer) int) error {
	in, out := json.NewDecoder(os.NewFile(3, "requests")), json.NewEncoder(os.NewFile(4, "replies"))
	for {
		var r request
		if err := in.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		for _, v := range textsOf(r.Env) {
			name, value, _ := strings.Cut(v, "=")
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
		if len(r.Dir) > 0 {
			if err := os.Chdir(string(r.Dir)); err != nil {
				return err
			}
		}
		stdin, w, err := os.Pipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = w.Write(r.Stdin) // who reads none of it has closed the pipe
			w.Close()
		}()
		os.Stdin = stdin
		var o, e bytes.Buffer
		status := run(textsOf(r.Args), &o, &e)
		stdin.Close()
		if err := out.Encode(reply{o.Bytes(), e.Bytes(), status}); err != nil {
			return err
		}
	}
}

// server is one that runs.
type server struct {
	cmd               *exec.Cmd
	requests, replies *os.File
	to                *json.Encoder
	from              *json.Decoder
	past              bytes.Buffer // what went past the program's own way out
}

func start(bin string) (*server, error) {
	s := &server{cmd: exec.Command(bin)}
	in, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	replies, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), requests.Close())
	}
	s.cmd.Env = append(os.Environ(), Role)
	s.cmd.ExtraFiles = []*os.File{in, out}
	s.cmd.Stdout, s.cmd.Stderr = &s.past, &s.past
	s.requests, s.to = requests, json.NewEncoder(requests)
	s.replies, s.from = replies, json.NewDecoder(replies)
	err = s.cmd.Start()
	return s, errors.Join(err, in.Close(), out.Close())
}

// run has a command line run.
func (s *server) run(l Line) (Result, error) {
	defer time.AfterFunc(patience, func() { s.cmd.Process.Kill() }).Stop()
	var r reply
	err := s.to.Encode(request{bytesOf(l.Args), bytesOf(l.Env), []byte(l.Stdin), []byte(l.Dir)})
	if err == nil {
		err = s.from.Decode(&r)
	}
	return Result{string(r.Out), string(r.Err), r.Status}, err
}

// end ends the server; nothing may have gone past the way out.
func (s *server) end() error {
	err := errors.Join(s.requests.Close(), s.cmd.Wait(), s.replies.Close())
	if s.past.Len() > 0 {
		err = errors.Join(err, fmt.Errorf("went past the writers of package cli: %.2000q", s.past.String()))
	}
	return err
}

// Each runs do for each of all, two at a time, with a server of its own for each of the two; bin is
// the test program of package cli. do is given a function that runs a command line.
func Each[T any](t *testing.T, bin string, all []T, do func(x T, run func(Line) Result)) {
	t.Helper()
	var g sync.WaitGroup
	next := make(chan T)
	for range 2 {
		g.Go(func() {
			var s *server
			for x := range next {
				do(x, func(l Line) Result {
					var err error
					if s == nil {
						if s, err = start(bin); err != nil {
							t.Error(err)
							s = nil
							return Result{}
						}
					}
					r, err := s.run(l)
					if err != nil { // it has died, or hangs: the next line has a new one
						t.Errorf("%q: %v: %v", l, err, s.end())
						s = nil
					}
					return r
				})
			}
			if s != nil {
				if err := s.end(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, x := range all {
		next <- x
	}
	close(next)
	g.Wait()
}
