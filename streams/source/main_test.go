//go:build !e2e

package source

import (
	"testing"

	"go.uber.org/goleak"
)

// realClusters are those of the build tag e2e.
var realClusters []cluster

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
