package config

import (
	"os"
	"time"
)

// Config is every setting of the program. The tags are the keys of the file;
// configs/tidemark.yaml says what each means.
type Config struct {
	Namespace       string        `yaml:"namespace"`
	Model           string        `yaml:"model"`   // a file; empty: the model built in
	Routing         string        `yaml:"routing"` // a file; empty: MQAs are not routed
	HTTP            HTTP          `yaml:"http"`
	Kafka           Kafka         `yaml:"kafka"`
	Redis           Redis         `yaml:"redis"`
	Events          Events        `yaml:"events"`
	People          People        `yaml:"people"`
	Engine          Engine        `yaml:"engine"`
	Canary          Canary        `yaml:"canary"`
	Webhooks        Webhooks      `yaml:"webhooks"`
	Audiences       Audiences     `yaml:"audiences"`
	OTel            OTel          `yaml:"otel"`
	Log             Log           `yaml:"log"`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// HTTP is the server for health, metrics and the API.
type HTTP struct {
	Addr      string `yaml:"addr"`
	Token     Secret `yaml:"token"` // that whoever uses the API must show
	TokenFile string `yaml:"token_file"`
}

// Kafka is the cluster that events come from and tier changes go to.
type Kafka struct {
	Brokers           []string      `yaml:"brokers"`
	Group             string        `yaml:"group"`
	InstanceID        string        `yaml:"instance_id"` // empty: the host's name; see Instance
	Topics            Topics        `yaml:"topics"`
	Inputs            Inputs        `yaml:"inputs"` // formats of topics, and more topics
	Create            Create        `yaml:"create"`
	TLS               TLS           `yaml:"tls"`
	SASL              SASL          `yaml:"sasl"`
	SessionTimeout    time.Duration `yaml:"session_timeout"`
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	Fetch             Fetch         `yaml:"fetch"`
}

// Instance is the name under which this process takes part in the group.
func (k Kafka) Instance() (string, error) {
	if k.InstanceID != "" {
		return k.InstanceID, nil
	}
	return os.Hostname()
}

// Topics are the names of the topics.
type Topics struct {
	Intent       string `yaml:"intent"`
	Engagement   string `yaml:"engagement"`
	Profiles     string `yaml:"profiles"`
	Outcomes     string `yaml:"outcomes"`
	TierChanges  string `yaml:"tier_changes"`
	AccountTiers string `yaml:"account_tiers"`
	DeadLetters  string `yaml:"dead_letters"`
	MQARouting   string `yaml:"mqa_routing"`
}

// Create is what `topics create` gives a topic that is missing.
type Create struct {
	Partitions  int `yaml:"partitions"`
	Replication int `yaml:"replication"` // 0: as the broker is configured
}

// Fetch bounds what is read ahead.
type Fetch struct {
	MaxBytes Size          `yaml:"max_bytes"` // of one partition in one response
	MaxWait  time.Duration `yaml:"max_wait"`  // a broker holds an empty response this long
	// BufferEvents bounds the events that wait to be applied, of all partitions, shared by what each gave lately.
	BufferEvents int `yaml:"buffer_events"`
}

// SASL is how the program makes itself known to Kafka.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // empty: none; else plain, scram-sha-256 or scram-sha-512
	Username     string `yaml:"username"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
}

// Redis is where the state lives.
type Redis struct {
	Addrs            []string      `yaml:"addrs"`           // one: single; several: cluster; with SentinelMaster: sentinels
	SentinelMaster   string        `yaml:"sentinel_master"` // not empty: addrs are sentinels
	SentinelUsername string        `yaml:"sentinel_username"`
	SentinelPassword Secret        `yaml:"sentinel_password"`
	Username         string        `yaml:"username"`
	Password         Secret        `yaml:"password"`
	PasswordFile     string        `yaml:"password_file"`
	TLS              TLS           `yaml:"tls"`
	Shards           int           `yaml:"shards"` // written at first start; a different one later is refused
	Timeout          time.Duration `yaml:"timeout"`
}

// Events is which events are accepted.
type Events struct {
	FutureTolerance time.Duration `yaml:"future_tolerance"`
	MaxAge          time.Duration `yaml:"max_age"`
	ForgetAfter     Lifetime      `yaml:"forget_after"` // see Forget
	MaxBytes        Size          `yaml:"max_bytes"`
	Guard           Guard         `yaml:"guard"`
}

// Guard pauses a topic of which nearly all events are dead letters.
type Guard struct {
	Records  int           `yaml:"records"`   // of the latest so many, 99 % being dead letters; 0: never
	Pause    time.Duration `yaml:"pause"`     // until the first probe; each next one is twice as long
	MaxPause time.Duration `yaml:"max_pause"` // the longest
}

// People is how contacts are kept.
type People struct {
	Secret     Secret `yaml:"secret"`
	SecretFile string `yaml:"secret_file"`
}

// Engine is how events are applied.
type Engine struct {
	MaxLead            time.Duration `yaml:"max_lead"`
	Lanes              int           `yaml:"lanes"` // 0: twice the processors
	MaxBatch           int           `yaml:"max_batch"`
	CacheAccounts      int           `yaml:"cache_accounts"`
	CheckpointInterval time.Duration `yaml:"checkpoint_interval"`
}

// Canary is the event that `serve` sends itself.
type Canary struct {
	Every time.Duration `yaml:"every"` // 0: none
}

// Webhooks is what is sent to endpoints of others.
type Webhooks struct {
	File   string   `yaml:"file"`   // of endpoints; empty: no webhooks
	Topics []string `yaml:"topics"` // empty: tier changes
}

// Audiences are named sets of accounts that others follow.
type Audiences struct {
	File string `yaml:"file"` // of audiences; empty: none
}

// OTel is whether events are followed by OpenTelemetry.
type OTel struct {
	Endpoint string  `yaml:"endpoint"` // of the collector; empty: nothing is followed
	Sample   float64 `yaml:"sample"`   // of the events without a traced producer
}

// Log is what is logged and how.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"` // auto: console on a terminal, else json
}
