package symbol

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cowscope/vmspace"
)

// A Go function is found by its name, with and without the path of its package.
func TestFindGo(t *testing.T) {
	table, maps := New(Options{}), vmspace.NewList(mappings(t, os.Getpid()))
	want := uint64(reflect.ValueOf(TestFindGo).Pointer())
	for _, name := range []string{"cowscope/vmspace/symbol.TestFindGo", "symbol.TestFindGo"} {
		found := table.Find(os.Getpid(), maps, name)
		if len(found) != 1 || found[0].Start != want || !found[0].Code || found[0].End <= want {
			t.Errorf("%s: %+v, and it is at %#x", name, found, want)
		}
	}
	for _, name := range []string{"", "TestFindGo", "symbol.TestFindG", "\x00", strings.Repeat("x", 1<<16)} {
		if found := table.Find(os.Getpid(), maps, name); len(found) > 0 {
			t.Errorf("%q: %+v", name, found)
		}
	}
	if addrs, line := table.Lines(os.Getpid(), maps, "nothing.c", 1); line != 0 || len(addrs) > 0 {
		t.Errorf("%x, line %d", addrs, line)
	}
}

// What a program of C says of its own addresses is what is found.
func TestFindC(t *testing.T) {
	const source = `#include <stdio.h>
int counter;
static char table[3 * 65536] = {1};
__attribute__((noinline)) static int add(int n)
{
	counter += n;

	return counter + table[n];
}
int main(void)
{
	printf("%p %p %p %p\n", (void *)main, (void *)add, (void *)&counter, (void *)table);
	fflush(stdout);
	return add(getchar()) & 1;
}
`
	for _, flags := range []string{"-g -O0", "-g -O2 -no-pie", "-gdwarf-4 -O1 -static", "-g -O0 -shared-libgcc -Wl,-z,noseparate-code"} {
		t.Run(flags, func(t *testing.T) {
			bin := compile(t, "found.c", source, strings.Fields(flags)...)
			cmd := exec.Command(bin)
			in, err1 := cmd.StdinPipe()
			out, err2 := cmd.StdoutPipe()
			if err1 != nil || err2 != nil || cmd.Start() != nil {
				t.Fatal(err1, err2)
			}
			defer func() { in.Close(); cmd.Wait() }()
			var at [4]uint64
			if _, err := fmt.Fscan(bufio.NewReader(out), &at[0], &at[1], &at[2], &at[3]); err != nil {
				t.Fatal(err)
			}
			pid := cmd.Process.Pid
			table, maps := New(Options{}), vmspace.NewList(mappings(t, pid))
			for i, name := range []string{"main", "add", "counter", "table"} {
				found := table.Find(pid, maps, name)
				if len(found) != 1 || found[0].Start != at[i] || found[0].Code != (i < 2) || i == 2 && found[0].Len() != 4 || i == 3 && found[0].Len() != 3*65536 {
					t.Errorf("%s: %+v, and it is at %#x", name, found, at[i])
				}
			}
			for asked, want := range map[int]int{6: 6, 7: 8, 8: 8, 12: 12, 99: 0} {
				for _, file := range []string{"found.c", filepath.Join(filepath.Dir(bin), "found.c")} {
					addrs, line := table.Lines(pid, maps, file, asked)
					if line != want || (want > 0) != (len(addrs) > 0) {
						t.Errorf("%s:%d: line %d at %#x", file, asked, line, addrs)
					}
					for _, addr := range addrs {
						i, _ := maps.Find(addr)
						if p := table.Place(pid, maps.At(i), addr); p.Line != want {
							t.Errorf("%s:%d: %#x is %s", file, asked, addr, p)
						}
					}
				}
			}
			if addrs, line := table.Lines(pid, maps, "ound.c", 6); line != 0 {
				t.Errorf("ound.c: line %d at %#x", line, addrs)
			}
		})
	}
}
