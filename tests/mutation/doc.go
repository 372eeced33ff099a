// Command mutation makes mutants of packages and counts those that their tests kill.
//
//	go run ./tests/mutation [-packages core/bloom,core/wire] [-sample 150 -seed 1]
//
// A mutant is the package with one small fault: a condition negated, a bound moved by
// one, an operand or a statement left out, another result. All mutants of a package are
// compiled at once, into its test binaries: each fault stands there beside what is right,
// and an environment variable chooses one. So a mutant costs what the tests cost that
// reach it, and no compilation. Those tests are known from one run of each, without a
// fault; the quick ones go first, and the first failure ends it. A mutant that uses up four
// times the processor time that its tests take otherwise is killed as well.
//
// Mutants that live on are listed in tests/mutation/survivors.txt with the reason why no
// test can or need tell them from the original. The command fails when fewer than 85 % of
// a package's mutants are killed, when one survives that is not listed, and, unless only
// a sample is run, when one is listed that does not survive.
//
// What is not mutated: constants and types, strings, the room that make is asked for, and
// what only builds the text of an error.
package main
