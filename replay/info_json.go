// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/dtrec/dtrec/schema"
)

// WriteJSON prints the info as one JSON object. Times are nanoseconds since boot,
// sizes bytes, addresses strings "0x…".
func (i *Info) WriteJSON(w io.Writer, name string) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(i.document(name))
}

type infoDocument struct {
	File          string          `json:"file"`
	Complete      bool            `json:"complete"`
	Bytes         int64           `json:"bytes"`
	BytesPerEvent float64         `json:"bytes_per_event"`
	Header        infoHeader      `json:"header"`
	Probes        []infoProbe     `json:"probes"`
	Layout        infoLayout      `json:"layout"`
	Events        uint64          `json:"events"`
	FirstNs       uint64          `json:"first_ns"`
	LastNs        uint64          `json:"last_ns"`
	Counts        []infoCount     `json:"counts"`
	Programs      []infoProgram   `json:"programs"`
	Lost          uint64          `json:"lost"` // damage included
	Loss          []lossDocument  `json:"loss"`
	Damage        []infoDamage    `json:"damage"`
	Unlisted      uint64          `json:"unlisted"`
	Footer        *footerDocument `json:"footer"` // null: the file was cut
}

type infoHeader struct {
	FormatVersion   uint32   `json:"format_version"`
	Writer          string   `json:"writer"`
	RunID           string   `json:"run_id"`
	BootID          string   `json:"boot_id"`
	Start           string   `json:"start"`
	StartBootNs     uint64   `json:"start_boot_ns"`
	KernelRelease   string   `json:"kernel_release"`
	KernelVersion   string   `json:"kernel_version"`
	Machine         string   `json:"machine"`
	Command         []string `json:"command"`
	Target          string   `json:"target"`
	RingBufferBytes uint64   `json:"ring_buffer_bytes"`
	WatchLimit      uint32   `json:"watch_limit"`
}

type infoProbe struct {
	Role     string `json:"role"`
	Phase    string `json:"phase"`
	Symbol   string `json:"symbol"`
	Attach   string `json:"attach"`
	Attached bool   `json:"attached"`
	Error    string `json:"error,omitempty"`
	Required bool   `json:"required"`

	// Uncounted: hits the probe missed are not all among the losses.
	Uncounted bool `json:"uncounted,omitempty"`
}

type infoLayout struct {
	DentrySize      uint32 `json:"dentry_size"`
	DHash           uint32 `json:"d_hash"`
	DParent         uint32 `json:"d_parent"`
	DName           uint32 `json:"d_name"`
	DInode          uint32 `json:"d_inode"`
	InlineName      uint32 `json:"inline_name"`
	InlineNameSize  uint32 `json:"inline_name_size"`
	InlineNameField string `json:"inline_name_field"`
	ExternalName    uint32 `json:"external_name"`
	FilenameName    uint32 `json:"filename_name"`
	FilenameIname   uint32 `json:"filename_iname"`
	DentryHashtable string `json:"dentry_hashtable"`
	DHashShift      uint32 `json:"d_hash_shift"`
	PageSize        uint32 `json:"page_size"`
	NameHash        string `json:"name_hash"`
}

type infoCount struct {
	Role   string `json:"role"`
	Phase  string `json:"phase"`
	Events uint64 `json:"events"`
}

type infoProgram struct {
	Name     string   `json:"name"`
	PID      uint32   `json:"pid"`
	EndNs    uint64   `json:"end_ns"`
	ExitCode int32    `json:"exit_code"`
	Source   []string `json:"source"`
	Stdout   string   `json:"stdout"`
}

type infoDamage struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	Events uint64 `json:"events"`
	Cut    bool   `json:"cut"`
	Error  string `json:"error"`
}

type lossDocument struct {
	Cause   string `json:"cause"`
	Role    string `json:"role"` // "any" where not known
	CPU     uint32 `json:"cpu"`
	Count   uint64 `json:"count"`
	FirstNs uint64 `json:"first_ns"`
	LastNs  uint64 `json:"last_ns"`
}

type footerDocument struct {
	Events   uint64 `json:"events"`
	EndNs    uint64 `json:"end_ns"`
	Lost     uint64 `json:"lost"`
	EndedBy  string `json:"ended_by"`
	ExitCode int32  `json:"exit_code"`
}

// document is the info as it is encoded. Lists are never null.
func (i *Info) document(name string) infoDocument {
	d := infoDocument{
		File: name, Complete: i.Complete(), Bytes: i.Bytes, BytesPerEvent: i.BytesPerEvent(),
		Header: headerDocument(i.Header), Layout: layoutDocument(i.Header.GetLayout()),
		Events: i.Events, FirstNs: i.First, LastNs: i.Last,
		Lost: i.Lost + i.Damaged, Unlisted: i.Unlisted, Footer: newFooterDocument(i.Footer),
		Probes: probeDocuments(i.Header), Counts: []infoCount{}, Programs: []infoProgram{},
		Loss: []lossDocument{}, Damage: []infoDamage{},
	}
	for _, c := range i.Counts {
		d.Counts = append(d.Counts, infoCount{c.Role.Label(), c.Phase.Label(), c.Events})
	}
	for _, p := range i.Programs {
		d.Programs = append(d.Programs, newProgramDocument(p))
	}
	for _, l := range i.Loss {
		d.Loss = append(d.Loss, newLossDocument(l))
	}
	for _, g := range i.Damage {
		d.Damage = append(d.Damage, newDamageDocument(&g))
	}
	return d
}

func headerDocument(h *schema.Header) infoHeader {
	return infoHeader{
		FormatVersion: h.FormatVersion, Writer: h.Writer, RunID: hex.EncodeToString(h.RunId), BootID: h.BootId,
		Start: startOf(h), StartBootNs: h.StartBootNs,
		KernelRelease: h.GetKernel().GetRelease(), KernelVersion: h.GetKernel().GetVersion(), Machine: h.GetKernel().GetMachine(),
		Command: append([]string{}, h.Command...), Target: h.Target,
		RingBufferBytes: h.RingBufferBytes, WatchLimit: h.WatchLimit,
	}
}

// startOf is empty where it is not known.
func startOf(h *schema.Header) string {
	if h.StartUnixNs == 0 && h.Imported() {
		return ""
	}
	return wallClock(h.StartUnixNs)
}

func probeDocuments(h *schema.Header) []infoProbe {
	out := []infoProbe{}
	for _, p := range h.Probe {
		out = append(out, infoProbe{p.Role.Label(), p.Phase.Label(), p.Symbol, p.Attach.Label(), p.Attached, p.Error, p.Required, p.Uncounted})
	}
	return out
}

func newProgramDocument(p *schema.Program) infoProgram {
	return infoProgram{p.Name, p.Pid, p.EndNs, p.ExitCode, append([]string{}, p.Source...), string(p.Stdout)}
}

func newDamageDocument(d *schema.Damage) infoDamage {
	return infoDamage{d.Offset, d.Bytes, d.Events, d.Cut, d.Err.Error()}
}

func layoutDocument(l *schema.Layout) infoLayout {
	return infoLayout{
		DentrySize: l.GetDentrySize(), DHash: l.GetDHash(), DParent: l.GetDParent(), DName: l.GetDName(), DInode: l.GetDInode(),
		InlineName: l.GetInlineName(), InlineNameSize: l.GetInlineNameSize(), InlineNameField: l.GetInlineNameField(),
		ExternalName: l.GetExternalName(), FilenameName: l.GetFilenameName(), FilenameIname: l.GetFilenameIname(),
		DentryHashtable: fmt.Sprintf("%#x", l.GetDentryHashtable()), DHashShift: l.GetDHashShift(),
		PageSize: l.GetPageSize(), NameHash: l.GetNameHash().Label(),
	}
}

func newLossDocument(l *schema.Loss) lossDocument {
	return lossDocument{l.Cause.Label(), anyRole(l.Role), l.Cpu, l.Count, l.FirstNs, l.LastNs}
}

func newFooterDocument(f *schema.Footer) *footerDocument {
	if f == nil {
		return nil
	}
	return &footerDocument{f.Events, f.EndNs, f.Lost, f.EndedBy, f.ExitCode}
}
