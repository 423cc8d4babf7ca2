package doctor

import "time"

// Facts are all that is judged. A nil pointer or an error says that it could not be had.
type Facts struct {
	Kafka Kafka
	Redis Redis
	Model Model
	// MaxAge is how old an event may be to count, and Tolerance how far ahead of the clock.
	MaxAge, Tolerance time.Duration
	// PeopleKeyed is whether people.secret is set.
	PeopleKeyed bool
	// Lag is what `tidemark lag` would say next, with its status; empty: not known.
	Lag Lag
	// Accounts is for how many accounts the memory is forecast, 0 for as many as there are.
	Accounts int64
	Now      time.Time
}

// Kafka is the cluster.
type Kafka struct {
	// Err says why nothing of it is known.
	Err     error
	Brokers []Broker
	Topics  []Topic
	Group   Rights
	// GroupName is the consumer group.
	GroupName string
	// User is who logs in, for commands; empty: nobody does.
	User string
	// Addr is a broker, for commands.
	Addr string
}

// Broker is an address and why nobody answers there.
type Broker struct {
	Addr string
	Err  error
}

// Rights says what is allowed. Where not Known, Err may say why.
type Rights struct {
	Known                 bool
	Err                   error
	Read, Write, Describe bool
}

// Kind is what a topic is for.
type Kind int

// The kinds of topics.
const (
	Input    Kind = iota // events
	Profiles             // input too, compacted
	Outcomes             // not read by serve
	Changes              // tier changes
	Tiers                // the latest of each account, compacted
	Letters              // dead letters
	Followed             // tier changes that serve reads back, for routing, webhooks or audiences
	Steps                // of MQAs, which serve reads back after Redis was set back
	Feeds                // of audiences, compacted
)

// Topic is a topic as it is.
type Topic struct {
	Name                                    string
	Kind                                    Kind
	Missing                                 bool
	Partitions, Leaderless, Copies, Lagging int
	Settings                                map[string]string // nil: SettingsErr says why
	SettingsErr                             error
	Rights                                  Rights
}

// Redis is where the state is.
type Redis struct {
	Err     error
	Servers []Server
	// Cluster is whether the settings mean a cluster.
	Cluster bool
	// Stored are the accounts of the namespace and their bytes; StoredErr says why not.
	Stored, Bytes int64
	StoredErr     error
}

// Server is one Redis. Empty texts and -1 are not known.
type Server struct {
	Addr, Version, Mode, Role, Policy, AOF, Fsync, LastWrite, LastRewrite string
	Loading                                                               bool
	MaxMemory, UsedMemory, SystemMemory, Evicted                          int64
	Ahead, Within                                                         time.Duration // Within < 0: the clock is not known
}

// Model is the configured model.
type Model struct {
	Err      error
	Name     string
	Hash     string
	Warnings int
	// Reviewed is when it was last, and every how often it should be; zero: not said.
	Reviewed time.Time
	Every    time.Duration
	// InForce is the hash of the model that the namespace is under, empty for none.
	InForce string
}

// Lag is how late it is: Level is what its status means here.
type Lag struct {
	Err    error
	Status string
	Level  Level
	What   string
	Do     string
}

// Examine judges.
func Examine(f Facts) []Finding {
	r := &report{}
	r.kafka(&f)
	r.redis(&f)
	r.memory(&f)
	r.clocks(&f)
	r.lag(&f)
	r.model(&f)
	return r.findings
}
