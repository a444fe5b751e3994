// Package lesson reads, proves and plays lessons: walkthroughs for learners that run on the real
// kernel. It knows no screen.
//
//	file.md ──► Parse ──► Lesson ─┬─► Check   runs all of it, with nobody at the keys ──► Verdict
//	              │               │
//	              ▼               └─► Player  one learner's way through it ──► State, for a screen
//	            Errors                  │  ▲
//	                                    ▼  │
//	                                  Session (a fresh subject)      Progress (which steps are done)
//
// A lesson is Markdown with blocks that do something; [Format] tells authors how it is written. It
// is read whole before anything runs, and nothing in it is passed on that a terminal would obey.
//
// What a lesson says is held against the kernel by the same code in the check and for the learner:
// an expectation that fails, an answer that ought to be right and is not, are told with their place
// in the file.
package lesson
