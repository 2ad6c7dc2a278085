// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/dtrec/dtrec/internal/vm"
	"github.com/spf13/cobra"
)

// runIfGuest runs the whole program if dtrec is the init of a virtual machine, and returns at once
// otherwise.
func runIfGuest() {
	if vm.InGuest() {
		vm.Init()
	}
}

// platformCommands returns the commands that need Linux, here or in a virtual machine.
func platformCommands() []*cobra.Command {
	return []*cobra.Command{newRecordCmd(), newDetachCmd(), newDoctorCmd(), newWorkloadCmd(), newVMCmd()}
}
