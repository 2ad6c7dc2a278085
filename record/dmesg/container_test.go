// SPDX-License-Identifier: Apache-2.0

package dmesg

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// utf16LE returns the text as PowerShell's > writes it.
func utf16LE(text string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// summary returns a text by which the events of two logs are compared.
func summary(l *Log) string {
	var b strings.Builder
	for _, r := range l.Runs {
		for _, e := range r.Events {
			fmt.Fprintf(&b, "%v %v tid=%d %x %q %d; ", e.Role.Label(), e.Phase.Label(), e.TID, e.NameAddr, e.Name, e.Time)
		}
		b.WriteString("/ ")
	}
	return b.String()
}

// The same log is read in every form in which dmesg and the journal print it.
func TestContainers(t *testing.T) {
	const plain = "[    5.000123] [O] IN: 0xffff8976c6763020 | /tmp/é\n[    5.000200] usb 1-1: new device\n[    5.000300][  T168] d_lookup return: NULL\n"
	want := summary(read(t, plain))
	if !strings.Contains(want, "open enter tid=0 ffff8976c6763020 \"/tmp/é\" 5000123000; lookup exit tid=168 0 \"\" 5000300000; / ") {
		t.Fatal(want)
	}
	journal := func(boot string) string {
		return `{"MESSAGE":"[O] IN: 0xffff8976c6763020 | /tmp/é","_TRANSPORT":"kernel","_BOOT_ID":"` + boot + `","_SOURCE_MONOTONIC_TIMESTAMP":"5000123"}` + "\n"
	}
	for name, log := range map[string]string{
		"UTF-16":       utf16LE(strings.ReplaceAll(plain, "\n", "\r\n")),
		"UTF-8 mark":   "\ufeff" + plain,
		"colours":      "\x1b[32m[    5.000123] \x1b[0m\x1b[33m[O] IN: \x1b[0m0xffff8976c6763020 | /tmp/é\n\x1b[32m[    5.000300]\x1b[0m[  T168] d_lookup return: NULL\n",
		"/dev/kmsg":    "6,339,5000123,-;[O] IN: 0xffff8976c6763020 | /tmp/\\xc3\\xa9\n SUBSYSTEM=usb\n6,341,5000300,-,caller=T168;d_lookup return: NULL\n",
		"dmesg -J":     "{\n   \"dmesg\": [\n      {\n         \"pri\": 6,\n         \"time\":     5.000123,\n         \"msg\": \"[O] IN: 0xffff8976c6763020 | /tmp/é\"\n      },{\n         \"pri\": 6,\n         \"time\":     5.000300,\n         \"caller\": \"T168\",\n         \"msg\": \"d_lookup return: NULL\"\n      }\n   ]\n}\n",
		"printk":       "             cat-0     [001] d..31     5.000123: bpf_trace_printk: [O] IN: 0xffff8976c6763020 | /tmp/é\n             cat-168   [001] ....1     5.000300: bpf_trace_printk: d_lookup return: NULL\n",
		"older printk": "             cat-0     [001] d..3     5.000123: 0x00000001: [O] IN: 0xffff8976c6763020 | /tmp/é\n             cat-168   [001] ....     5.000300: 0x00000001: d_lookup return: NULL\n",
	} {
		if got := summary(read(t, log)); got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
	for name, c := range map[string]struct{ log, want string }{
		"journal":    {journal("a"), "open enter tid=0 ffff8976c6763020 \"/tmp/é\" 5000123000; / "},
		"two boots":  {journal("a") + journal("b"), strings.Repeat("open enter tid=0 ffff8976c6763020 \"/tmp/é\" 5000123000; / ", 2)},
		"json-seq":   {"\x1e" + journal("a") + "\x1e" + journal("a"), strings.Repeat("open enter tid=0 ffff8976c6763020 \"/tmp/é\" 5000123000; ", 2) + "/ "},
		"bytes":      {`{"MESSAGE":[91,79,93,32,73,78,58,32,48,120,102,102,102,102,56,57,55,54,99,54,55,54,51,48,50,48,32,124,32,255],"_TRANSPORT":"kernel"}`, "open enter tid=0 ffff8976c6763020 \"\\xff\" 1; / "},
		"not kernel": {`{"MESSAGE":"[O] IN: 0xffff8976c6763020 | /tmp/é","_TRANSPORT":"syslog"}`, ""},
		"no time":    {`{"dmesg":[{"msg":"d_lookup return: NULL","time":"2026-02-07"}]}`, "lookup exit tid=0 0 \"\" 1; / "},
	} {
		if got := summary(read(t, c.log)); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", name, got, c.want)
		}
	}
}

// A broken or overlong record is an error that says which record it was; the events before it are kept.
func TestBrokenRecords(t *testing.T) {
	const one = `{"MESSAGE":"d_lookup return: NULL"}` + "\n"
	for log, want := range map[string]string{
		one + `{"MESSAGE":`: "record 2: unexpected EOF",
		one + `{"MESSAGE":"` + strings.Repeat("x", 3*maxRecord) + `"}`: "record 2: a record of more than 1048576 bytes",
		one + `{"MESSAGE":7}`: "record 2: json: cannot unmarshal number",
		one + "nonsense":      "record 2: byte 38: invalid character",
	} {
		l, err := Read(strings.NewReader(log), nil)
		if err == nil || !strings.Contains(err.Error(), want) || len(l.Runs) != 1 {
			t.Errorf("%.40s: %v, want %s; %d runs", log, err, want, len(l.Runs))
		}
	}
}
