// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"github.com/dtrec/dtrec/internal/vm"
	"github.com/spf13/cobra"
)

// guest is the whole program when dtrec is the init of a virtual machine, and
// nothing elsewhere.
func guest() {
	if vm.InGuest() {
		vm.Init()
	}
}

// platformCommands are the commands that need a Linux kernel around or below them.
func platformCommands() []*cobra.Command {
	return []*cobra.Command{newRecordCmd(), newDetachCmd(), tabular(newDoctorCmd()), newWorkloadCmd(), newVMCmd()}
}
