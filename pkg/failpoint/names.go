package failpoint

// The places, in the order in which an event meets them.
const (
	Assigned        = "assign.positions"   // partitions are taken over, nothing is moved yet
	LettersAcked    = "letters.acked"      // dead letters are in Kafka, the round is not stored
	BeforeApply     = "engine.apply"       // a round is read, nothing is computed
	Prepared        = "engine.prepared"    // steps are computed, nothing is sent
	BeforeCommit    = "store.send"         // a pipeline of commit scripts is about to go out
	AfterCommit     = "store.sent"         // the scripts have answered, nobody knows it yet
	Committed       = "engine.committed"   // the engine knows that its steps are stored
	BeforeTrip      = "store.call"         // any other call of Redis is about to go out
	AfterTrip       = "store.called"       // any other call of Redis has answered
	BeforeSweep     = "engine.sweep"       // accounts are due and about to be advanced
	EstateGiven     = "merge.given"        // an account was merged, its heir does not have what it left
	EstateTaken     = "merge.taken"        // the heir has it, the account does not know that yet
	RelayRead       = "relay.read"         // an outbox is read, nothing is published
	RelayFirstAck   = "relay.first-ack"    // tier-changes has acknowledged, account-tiers may not have
	RelaySecondAck  = "relay.second-ack"   // both topics have acknowledged, nothing is trimmed
	RelayTrimmed    = "relay.trimmed"      // an outbox is trimmed
	BeforeMark      = "pump.checkpoint"    // shards are about to be moved to where the session stands
	Checkpointed    = "pump.checkpointed"  // shards are moved, the group's offsets are not committed
	GroupCommitted  = "pump.group-offsets" // the group's offsets are committed
	BeforeGroupStop = "serve.drained"      // outboxes are empty, the group is not left
)

// Names are all places.
func Names() []string {
	return []string{
		Assigned, LettersAcked, BeforeApply, Prepared, BeforeCommit, AfterCommit, Committed, BeforeTrip, AfterTrip, BeforeSweep,
		EstateGiven, EstateTaken, RelayRead, RelayFirstAck, RelaySecondAck, RelayTrimmed, BeforeMark, Checkpointed, GroupCommitted, BeforeGroupStop,
	}
}
