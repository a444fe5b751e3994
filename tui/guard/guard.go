// Package guard gives a terminal back for a program that could not.
//
// A program that draws a screen has changed its terminal: no echo, no line editing, the alternate
// screen, the mouse, the keyboard's protocol. It gives that back at its end, but some ends leave it
// no time: kill -9, a panic in a goroutine that nobody recovers, what the runtime calls fatal. So a
// second process, the guard, waits on a pipe for the first one's end. It has a session of its own,
// so that no key and no hang-up reaches it, and does nothing while it waits:
//
//	program ──pipe──▶ guard        program ──dies──▶ guard: end of file
//	   │                │                             termios, leave the screen, what the runtime said last
//	   └──── terminal ──┘
//
// A program that ends in order gives the terminal back itself and then kills its guard. Not
// covered: both are killed at once, or the program within the 2 ms in which its guard starts; and
// systems other than Linux, where there is none.
//
// The guard is the program's own file, started again. Its part is played in this package's init,
// since all that the program initialises costs 30 ms and 20 MB. It runs early because this package
// imports no more than os and what os needs: Go initialises packages in the order of their paths as
// soon as all that they import is ready. A test holds the guard to that.
package guard

// leave takes back all that the screen turns on: xterm's modifyOtherKeys and kitty's keyboard
// protocol, which the alternate screen has of its own; the screen; cursor, paste, focus, mouse,
// synchronized output, grapheme widths; the title; the cursor's shape and the colours.
const leave = "\x1b[>4m\x1b[<1u\x1b[?1049l\x1b[?25h\x1b[?2004l\x1b[?1004l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2026l\x1b[?2027l" +
	"\x1b]2;\x07\x1b[0 q\x1b[m\x1b]110\x07\x1b]111\x07\x1b]112\x07"

// cutOff ends a sequence of which the terminal may have seen a part.
const cutOff = "\x18\x1b\\"
