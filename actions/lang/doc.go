// Package lang is cowscope's command language: one command a line.
//
//	@p2  buf  =  mmap  4p  rw  private anon  offset=1p   # a comment
//	│    │       │     │   │   └───────┬──────────────┘
//	│    │       │     │   │           tail: flags, options and optional choices, in any order
//	│    │       │     └─┬─┘
//	│    │       │       positional arguments, in the order of the verb's table row
//	│    │       verb: one word, or two for a verb with forms (expect page)
//	│    the name given to the new range
//	the process that acts
//
// The verbs are not known here. A table of [Verb] makes a [Grammar], and everything else follows
// from the table: parsing, canonical printing, usage lines, errors that point, completion, and the
// fields of forms. The package does no I/O and resolves nothing: whether a name exists, where it
// lies and how large a page is are the caller's knowledge, so values keep names and page counts as
// they were written, and every argument keeps its column for later complaints.
//
// Rules of a line:
//
//   - Words are parted by blanks and tabs. A '#' outside a string starts a comment, also in the middle of a word.
//   - A string is "…" with Go's escapes, it fills a word or the value of an option (file="my file").
//   - Only printable characters stand in a line; any other byte is written as an escape inside a string.
//   - A name is a letter, then letters, digits and '_'. A name that reads as a process (p1, p22) is refused. A name may
//     equal a verb or a flag: position tells them apart.
//   - Where an optional quantity stands before a required one (mremap RANGE Q), the required one is served first.
//   - In a place, + and - are read from left to right: a-1p+20 is one page down, then 20 bytes up.
//
// A line has at most [MaxLine] bytes and [MaxWords] words.
//
// [Command.String] prints the canonical line. Parsing it gives the same command again.
package lang
