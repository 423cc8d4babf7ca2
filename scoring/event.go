package scoring

// Kind says what an input is to an account.
type Kind uint8

// The kinds of input. Only KindEvent can earn points.
const (
	KindEvent     Kind = iota // an intent or engagement event
	KindProfile               // account.profile: what is known of the account itself
	KindErasure               // contact.erased: one person is forgotten
	KindTombstone             // the whole account is erased
	KindOutcome               // outcome.*: kept for backtests, never scored
	KindNotice                // says who somebody is (Hint) and nothing else; no account has it
	KindMerge                 // account.merged: the account goes into another
)

// Event is one input, decoded and checked: whatever is in it obeys SPEC 1.
// It is read-only once made, so lanes may share it.
type Event struct {
	Kind   Kind
	ID     string // CloudEvents id
	Source string // CloudEvents source
	Type   string // CloudEvents type

	// Time is the event's own instant, Unix milliseconds.
	Time int64
	// Arrived is the record's Kafka timestamp, Unix milliseconds. Only the
	// memory of identities depends on it.
	Arrived int64

	// Account is the account id, trimmed and lower-cased; empty while Domain is
	// still to be looked up in the aliases.
	Account string
	// Domain is the lower-cased domain an event without a subject came with.
	Domain string

	// Strength is the multiplier of the event itself, 0…10.
	Strength float64
	// Contact is the person who acted, or nil.
	Contact *Contact
	// Properties is data.properties, or nil.
	Properties Object

	// Profile is set for KindProfile.
	Profile *Profile
	// Hint is who acted, where a format knows users; else nil. Models do not look at it.
	Hint *Hint
	// Order is what a KindErasure or a KindMerge asks for, nil for others.
	Order *Order
}

// Order is what an event asks for that is no activity.
type Order struct {
	// Erased are the identities that a KindErasure names: id and lower-cased
	// e-mail address, one or both.
	Erased []string
	// Into is the account that a KindMerge goes into, never the event's own.
	Into string
}

// Erased are the identities that a KindErasure names, none for other events.
func (e *Event) Erased() []string {
	if e.Order == nil {
		return nil
	}
	return e.Order.Erased
}

// Into is the account that a KindMerge goes into, "" for other events.
func (e *Event) Into() string {
	if e.Order == nil {
		return ""
	}
	return e.Order.Into
}

// Hint is who acted, by the names that formats with users have for people: from such
// events is learned which account a user belongs to. All of it is personal.
type Hint struct {
	User      string // the user's id
	Anonymous string // the id of a browser or a device, before and beside the user's
	Email     string // as sent
	// Same says that these are names of one person.
	Same bool
	// Otherwise is what becomes of the event if it has neither account nor domain, and
	// nobody knows its user. It belongs to whoever decodes.
	Otherwise any
}

// Contact is the person an event names, as the event names them.
type Contact struct {
	ID        string
	Email     string // as sent; identities compare it lower-cased
	Title     string
	Seniority string // overrides the title patterns when not empty
	Role      string // overrides the title patterns when not empty
	// Fields is data.contact as sent, for expressions, or nil.
	Fields Object
}

// Profile is what is known of an account: the whole of it, replacing the one before.
type Profile struct {
	// Attributes hold strings, float64s, bools and []any of strings.
	Attributes map[string]any
	// Domains are lower-cased; events without a subject find the account by them.
	Domains []string
	Parent  string
}

// Identity is the fingerprint by which a second arrival of (source, id) is known.
// It is FNV-1a over source, a zero byte and id, mixed so that every bit counts
// (finalizer of MurmurHash3).
func Identity(source, id string) uint64 {
	h := fnvString(fnvOffset, source)
	h = fnvByte(h, 0)
	return mix(fnvString(h, id))
}

// Person is the fingerprint of a contact's id, or of the lower-cased e-mail
// address where there is no id. It is never 0: 0 stands for nobody.
func Person(identity string) uint64 {
	if h := mix(fnvString(fnvOffset, identity)); h != 0 {
		return h
	}
	return 1
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func fnvString(h uint64, s string) uint64 {
	for i := range len(s) {
		h = fnvByte(h, s[i])
	}
	return h
}

func fnvByte(h uint64, b byte) uint64 { return (h ^ uint64(b)) * fnvPrime }

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
