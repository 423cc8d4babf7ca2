package testenv

import (
	"testing"

	"go.uber.org/goleak"
)

var servers Shared

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Around(m)) }
