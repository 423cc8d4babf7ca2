package redis

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"strconv"

	"tidemark/pkg/engine"
)

// versionSize is the length of the version before a stored state. Scripts compare
// it as bytes and never compute with it.
const versionSize = 8

// Places in the script's ARGV, and of its first keys.
const (
	argNumber = iota
	argAfter
	argOurs
	argToken
	argCheck
	headerSize
)

const (
	keyToken = iota + 1
	keyMarks
	keyPositions
	keyAccounts
	keyProfiles
	keyNext
	keyOutbox
	keyTiers
	firstPlace
)

// encoder builds the KEYS and ARGV of one step.
type encoder struct {
	keys    []string
	args    []any
	appends int // entries for the outbox

	// Where things are in args, for whoever takes them out again.
	sets, removals int // accounts
	setsAt         int
	commands       []command

	moves     []engine.Move
	positions []*position // of those
	stands    bool        // all positions that move are known to be where the moves begin
	unseen    []*placeKey // places that this process never wrote to

	// What args point to: so it costs no memory for each. It may move as it grows: what they
	// point to stays.
	values   []octets
	letters  []byte // the values'
	versions octets
	numbers  []int64

	moving []moving // memory for places
	next   []any
}

// So many arguments' and values' bytes are kept from one step to the next, at most.
const (
	mostKept    = 1 << 13
	mostLetters = 1 << 18
)

// free forgets a step, and reports whether the memory is worth keeping for another.
func (e *encoder) free() bool {
	if cap(e.args) > mostKept || cap(e.letters) > mostLetters {
		return false
	}
	clear(e.args)
	clear(e.moving)
	clear(e.next)
	*e = encoder{
		keys: e.keys[:0], args: e.args[:0], commands: e.commands[:0], unseen: e.unseen[:0],
		positions: e.positions[:0],
		values:    e.values[:0], letters: e.letters[:0], versions: e.versions[:0], numbers: e.numbers[:0], moving: e.moving[:0], next: e.next[:0],
	}
	return true
}

// command is one that the script is to call: its name, key and count lie before its
// arguments.
type command struct{ at, key, n int }

// encode lays a step out for commit.lua, with the header left empty. listed are
// the tiers that have a listing in the shard; needed only where a step removes accounts.
func (e *encoder) encode(step *engine.Step, k *shardKeys, st *shardState, listed []string) {
	e.keys = append(e.keys, k.token, k.marks, k.positions, k.accounts, k.profiles, k.next, k.outbox, k.tiers)
	e.appends = len(step.Outbox)
	e.args = slices.Grow(e.args, headerSize+8+3*len(step.Moves)+4*len(step.Writes)+8*len(step.Outbox))[:headerSize]
	e.checkPositions(step.Moves, st)
	e.accounts(step.Writes)
	e.profiles(step.Writes)
	e.places(step.Writes, k, st.known(), listed)
	if len(step.Drop) > 0 {
		e.command("XDEL", keyOutbox, len(step.Drop))
		e.args = pointers(e.args, step.Drop)
	}
	for i := range step.Outbox {
		e.append(&step.Outbox[i])
	}
	e.storePositions()
}

// append adds an entry to the outbox.
func (e *encoder) append(m *engine.Message) {
	fields := 5
	if m.Appended != 0 {
		fields += 2
	}
	if m.Trace != "" {
		fields += 2
	}
	e.command("XADD", keyOutbox, fields)
	e.args = append(e.args, "*", "a", &m.Account, "v", (*octets)(&m.Value))
	if m.Appended != 0 {
		e.args = append(e.args, "t", &m.Appended)
	}
	if m.Trace != "" {
		e.args = append(e.args, "w", &m.Trace)
	}
}

// numerals are the text of small numbers, as arguments that cost no memory.
var numerals = func() (out [512]string) {
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}()

// numeral is the argument that says n.
func numeral(n int) any {
	if n < len(numerals) {
		return &numerals[n]
	}
	return strconv.Itoa(n)
}

// number is the argument that says a larger n.
func (e *encoder) number(n int64) any {
	e.numbers = append(e.numbers, n)
	return &e.numbers[len(e.numbers)-1]
}

// pointers adds texts as arguments that cost no memory.
func pointers(args []any, texts []string) []any {
	for i := range texts {
		args = append(args, &texts[i])
	}
	return args
}

func (e *encoder) count(n int) { e.args = append(e.args, numeral(n)) }

// write adds one command; none where there are no arguments.
func (e *encoder) write(name any, key int, args []any) {
	if len(args) == 0 {
		return
	}
	e.command(name, key, len(args))
	e.args = append(e.args, args...)
}

// command begins one whose n arguments follow. Names are constants, which cost no memory.
func (e *encoder) command(name any, key, n int) {
	e.commands = append(e.commands, command{len(e.args) + 3, key, n})
	e.args = append(e.args, name)
	e.count(key)
	e.count(n)
}

// checkPositions adds the positions that the script checks.
func (e *encoder) checkPositions(moves []engine.Move, st *shardState) {
	e.count(len(moves))
	e.moves, e.stands = moves, true
	for _, m := range moves {
		p := st.position(m.Partition)
		e.positions = append(e.positions, p)
		e.stands = e.stands && p.known && p.at == m.From
		e.args = append(e.args, &p.field)
	}
	for _, m := range moves {
		e.args = append(e.args, e.number(m.From))
	}
	for _, m := range moves {
		e.args = append(e.args, e.number(m.To))
	}
}

// storePositions adds those that the script stores.
func (e *encoder) storePositions() {
	if len(e.moves) == 0 {
		return
	}
	e.command("HSET", keyPositions, 2*len(e.moves))
	for i, m := range e.moves {
		e.args = append(e.args, &e.positions[i].field, e.number(m.To))
	}
}

// moved takes note that the step was plainly stored.
func (e *encoder) moved() {
	for i, m := range e.moves {
		p := e.positions[i]
		p.at, p.known = m.To, true
	}
}

// accounts adds what the script checks and stores: the values begin with the
// version that they will have, the old versions follow in one string.
func (e *encoder) accounts(writes []engine.Write) {
	sets, size := 0, 0
	for i := range writes {
		if w := &writes[i]; w.State != nil {
			sets++
			size += versionSize + len(w.State)
		}
	}
	e.sets, e.removals = sets, len(writes)-sets
	e.count(e.sets)
	e.count(e.removals)
	e.setsAt = len(e.args)
	e.letters = slices.Grow(e.letters, size)
	e.versions = slices.Grow(e.versions, versionSize*len(writes))
	for i := range writes {
		w := &writes[i]
		if w.State == nil {
			continue
		}
		start := len(e.letters)
		e.letters = append(binary.BigEndian.AppendUint64(e.letters, cmp.Or(w.Now, w.Was+1)), w.State...)
		e.versions = binary.BigEndian.AppendUint64(e.versions, w.Was)
		e.values = append(e.values, e.letters[start:])
		e.args = append(e.args, &w.Account, &e.values[len(e.values)-1])
	}
	for i := range writes {
		if w := &writes[i]; w.State == nil {
			e.args = append(e.args, &w.Account)
			e.versions = binary.BigEndian.AppendUint64(e.versions, w.Was)
		}
	}
	e.args = append(e.args, &e.versions)
}

func (e *encoder) profiles(writes []engine.Write) {
	var set, remove []any
	for i := range writes {
		switch w := &writes[i]; {
		case w.State == nil, w.Profile != nil && len(w.Profile) == 0:
			remove = append(remove, &w.Account)
		case w.Profile != nil:
			set = append(set, &w.Account, (*octets)(&w.Profile))
		}
	}
	e.write("HSET", keyProfiles, set)
	e.write("HDEL", keyProfiles, remove)
}

// digest tells whether two steps are the same, their header apart.
func (e *encoder) digest() [sha256.Size]byte {
	h := sha256.New()
	add := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, int64(len(b))) // a hash never fails
		_, _ = h.Write(b)
	}
	text := func(s string) {
		_ = binary.Write(h, binary.BigEndian, int64(len(s)))
		_, _ = io.WriteString(h, s)
	}
	for _, key := range e.keys {
		text(key)
	}
	for _, arg := range e.args[headerSize:] {
		switch v := arg.(type) {
		case string:
			text(v)
		case *string:
			text(*v)
		case *octets:
			add(*v)
		case *int64:
			text(strconv.FormatInt(*v, 10))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
