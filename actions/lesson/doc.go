// Package lesson parses, checks and plays lessons: walkthroughs for learners that run on the real
// kernel. It does not depend on a screen.
//
//	file.md ──► Parse ──► Lesson ─┬─► Check   runs all of it, with nobody at the keys ──► Verdict
//	              │               │
//	              ▼               └─► Player  one learner's way through it ──► State, for a screen
//	            Errors                  │  ▲
//	                                    ▼  │
//	                                  Session (a fresh subject)      Progress (which steps are done)
//
// A lesson is Markdown with blocks that have a function; [Format] describes it for authors. It is
// read as a whole before anything runs, and terminal control sequences in it are never passed on.
//
// The claims of a lesson are compared with the kernel by the same code in the check and for the
// learner: a failed expectation, or a wrong answer that the lesson calls right, is reported with
// its place in the file.
package lesson
