package config

import "time"

// Default is the configuration without file and environment: one host with
// everything on it.
func Default() Config {
	return Config{
		Namespace: "tm",
		HTTP:      HTTP{Addr: "127.0.0.1:8080"},
		Kafka: Kafka{
			Brokers: []string{"127.0.0.1:9092"},
			Group:   "tidemark",
			Topics: Topics{
				Intent:       "intent-events",
				Engagement:   "engagement-events",
				Profiles:     "account-profiles",
				Outcomes:     "outcome-events",
				TierChanges:  "tier-changes",
				AccountTiers: "account-tiers",
				DeadLetters:  "tidemark-dead-letters",
				MQARouting:   "mqa-routing",
			},
			Inputs:            Inputs{},
			Create:            Create{Partitions: 12},
			SessionTimeout:    10 * time.Second,
			HeartbeatInterval: 500 * time.Millisecond,
			Fetch:             Fetch{MaxBytes: MiB, MaxWait: time.Second, BufferEvents: 64 << 10},
		},
		Redis: Redis{
			Addrs:   []string{"127.0.0.1:6379"},
			Shards:  64,
			Timeout: 3 * time.Second,
		},
		Events: Events{
			FutureTolerance: 5 * time.Minute, MaxAge: 400 * 24 * time.Hour, ForgetAfter: Lifetime(400 * 24 * time.Hour), MaxBytes: 256 * KiB,
			Guard: Guard{Records: 10_000, Pause: 10 * time.Second, MaxPause: 10 * time.Minute},
		},
		Engine: Engine{
			MaxLead:            time.Hour,
			MaxBatch:           64 << 10,
			CacheAccounts:      200_000,
			CheckpointInterval: 2 * time.Second,
		},
		Canary:          Canary{Every: time.Minute},
		Webhooks:        Webhooks{Topics: []string{}},
		OTel:            OTel{Sample: 0.01},
		Log:             Log{Level: "info", Format: "auto"},
		ShutdownTimeout: 20 * time.Second,
	}
}
