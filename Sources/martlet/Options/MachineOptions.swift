// SPDX-License-Identifier: GPL-2.0-or-later

import ArgumentParser

/// The names of an option: QEMU's with one dash, and the same with two, as QEMU also understands it.
func option(_ name: String) -> NameSpecification {
  let oneDash: NameSpecification.Element =
    name.count == 1 ? .customShort(Character(name)) : .customLong(name, withSingleDash: true)
  return [oneDash, .customLong(name)]
}

/// The machine, its processors and memory.
struct MachineOptions: ParsableArguments {
  static let topic = "machine"

  @Option(
    name: option("m"),
    help: ArgumentHelp("RAM: a number of MiB, or with a suffix (256M, 4G).", valueName: "[size=]size"))
  var m: [String] = []
  @Option(
    name: option("smp"),
    help: ArgumentHelp("Virtual CPUs and how they are arranged.", valueName: "n[,sockets=,cores=,threads=]"))
  var smp: [String] = []
  @Option(
    name: option("cpu"),
    help: ArgumentHelp(
      "CPU model and features, e.g. host,-avx or qemu64,+ssse3; 'help' lists them.",
      valueName: "model[,+feat][,-feat]"))
  var cpu: String?
  @Option(
    name: option("accel"),
    help: ArgumentHelp(
      "What executes the guest: kvm, soft, auto; qtest for nothing. Given again: the first that works.",
      valueName: "name"))
  var accel: [String] = []
  @Option(
    name: [
      .customShort("M"), .customLong("M"), .customLong("machine", withSingleDash: true),
      .customLong("machine"),
    ],
    help: ArgumentHelp(
      "Machine type: pc (i440FX and PIIX3); '-machine TYPE,help' lists the properties.",
      valueName: "type[,prop=value]"))
  var machine: [String] = []
  @Flag(name: option("enable-kvm"), help: "Same as -accel kvm.")
  var enableKVM = false
  @Option(
    name: option("mem-path"), help: ArgumentHelp("Use huge pages: /dev/hugepages.", valueName: "path"))
  var memPath: String?
  @Flag(name: option("mem-prealloc"), help: "Obtain all of the guest's memory at the start.")
  var memPrealloc = false
  @Flag(name: option("mem-shared"), help: "Keep the RAM in a memfd that other processes can map.")
  var memShared = false
  @Option(
    name: option("overcommit"),
    help: ArgumentHelp("mem-lock=on keeps all memory out of swap space.", valueName: "mem-lock=on|off"))
  var overcommit: [String] = []
  @Option(
    name: option("name"),
    help: ArgumentHelp(
      "Name of the guest, for viewers and messages; process= is what ps shows.",
      valueName: "[guest=]name[,process=]"))
  var name: [String] = []
  @Option(
    name: option("uuid"), help: ArgumentHelp("UUID the guest sees in SMBIOS.", valueName: "uuid"))
  var uuid: String?
  @Option(
    name: option("rtc"),
    help: ArgumentHelp(
      "Real-time clock: base=utc, localtime or a date; clock=host or vm.", valueName: "base=,clock="))
  var rtc: [String] = []
  @Option(
    name: option("icount"),
    help: ArgumentHelp(
      "Time follows the instructions executed, 2^N ns each: a run can be repeated exactly.",
      valueName: "shift=N,sleep="))
  var icount: String?
  @Option(
    name: option("device"),
    help: ArgumentHelp("Add a device; '-device help' lists them.", valueName: "driver[,prop=value]"))
  var device: [String] = []
  @Option(
    name: option("object"),
    help: ArgumentHelp(
      "Something others refer to: secret (a password), filter-dump (a network capture).",
      valueName: "type,id=[,prop=value]"))
  var object: [String] = []
  @Option(
    name: option("global"),
    help: ArgumentHelp("Set a property of every device of a driver.", valueName: "driver.prop=value"))
  var global: [String] = []
  @Option(
    name: option("audiodev"),
    help: ArgumentHelp("Sound: only the driver 'none' so far.", valueName: "none,id="))
  var audioDevices: [String] = []
  @Flag(name: option("no-acpi"), help: "No ACPI tables for the guest: as -machine acpi=off.")
  var noACPI = false
  @Flag(name: option("no-hpet"), help: "Accepted for QEMU's sake: there is no HPET.")
  var noHPET = false
  @Flag(name: option("nodefaults"), help: "Leave out the devices that are there without being asked for.")
  var noDefaults = false
  @Flag(name: option("no-user-config"), help: "Accepted for QEMU's sake: there is no such file.")
  var noUserConfig = false
}
