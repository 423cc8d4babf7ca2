package sink

import (
	"testing"

	"go.uber.org/goleak"

	"tidemark/deploy/testenv"
)

var servers = testenv.Shared{KafkaOptions: testenv.KafkaOptions{Secure: true}}

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Around(m)) }
