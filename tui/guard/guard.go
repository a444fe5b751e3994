// Package guard restores the terminal for a program that could not.
//
// A program that draws a screen changes its terminal: no echo, no line editing, the alternate
// screen, the mouse, the keyboard protocol. It restores that at its end, but some endings leave no
// time for it: kill -9, a panic in a goroutine that nothing recovers, a fatal error of the runtime.
// So a second process, the guard, waits on a pipe for the end of the first. It has a session of its
// own, so that no key and no hang-up reaches it, and does nothing while it waits:
//
//	program ──pipe──▶ guard        program ──dies──▶ guard: end of file
//	   │                │                             termios, leave the screen,
//	   └──── terminal ──┘                             the last output of the runtime
//
// A program that ends in order restores the terminal itself and then kills its guard. Not covered:
// both are killed at once, or the program is killed within the 2 ms in which its guard starts; and
// systems other than Linux, which have no guard.
//
// The guard is the program's own file, started again. It runs in this package's init, because
// initialising the whole program costs 30 ms and 20 MB. It runs early because this package imports
// only os and what os needs: Go initialises packages in the order of their paths as soon as their
// imports are initialised. A test checks this.
package guard

// leave reverts everything that the screen turns on: xterm's modifyOtherKeys and kitty's keyboard
// protocol, which is separate for the alternate screen; the screen; cursor, paste, focus, mouse,
// synchronized output, grapheme widths; the title; the cursor shape and the colours.
const leave = "\x1b[>4m\x1b[<1u\x1b[?1049l\x1b[?25h\x1b[?2004l\x1b[?1004l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2026l\x1b[?2027l" +
	"\x1b]2;\x07\x1b[0 q\x1b[m\x1b]110\x07\x1b]111\x07\x1b]112\x07"

// cutOff ends a control sequence that may have been written in part.
const cutOff = "\x18\x1b\\"
