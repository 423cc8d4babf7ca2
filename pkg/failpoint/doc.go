// Package failpoint ends or stops the program at named places and sets its clock
// wrong, so that tests can crash it at each step of the way of an event and see what
// a bad clock does.
//
// In a normal build Hit is empty and costs nothing. In a build with the tag
// `failpoints` the variable TIDEMARK_TEST_FAILPOINT arms places:
//
//	TIDEMARK_TEST_FAILPOINT=store.sent:kill:20      at the 20th pass
//	TIDEMARK_TEST_FAILPOINT=relay.read:hang,pump.checkpointed:kill
//
//	TIDEMARK_TEST_CLOCK=/tmp/clock                  the clock is wrong by what that file holds, such as -90s
//
// The actions are kill, which is SIGKILL to the process itself, and hang, which
// stops the goroutine for ever. Names of places are this repository's own and may
// change; the list stands in Names, and tests see to it that each is reached.
package failpoint
