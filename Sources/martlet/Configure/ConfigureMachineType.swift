// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

/// `-machine` and its properties.
extension ConfigurationBuilder {
  /// A property of which the machine has one way only.
  private struct Fixed {
    let name: String
    /// The values that mean it, the best known first.
    let values: [String]
    let reason: String
  }

  private static let fixed = [
    Fixed(name: "hpet", values: ["off"], reason: "there is no HPET"),
    Fixed(name: "vmport", values: ["off", "auto"], reason: "there is no VMware port"),
    Fixed(name: "smm", values: ["off", "auto"], reason: "there is no system management mode"),
    Fixed(name: "nvdimm", values: ["off"], reason: "there are no NVDIMMs"),
    Fixed(name: "hmat", values: ["off"], reason: "there is no NUMA"),
    Fixed(
      name: "igd-passthru", values: ["off"], reason: "devices of the host cannot be given to the guest"),
    Fixed(name: "pit", values: ["on"], reason: "the 8254 is always there"),
    Fixed(name: "i8042", values: ["on"], reason: "the keyboard controller is always there"),
    Fixed(
      name: "kernel_irqchip", values: ["on", "split", "off"],
      reason: "the engine decides who models the interrupt controllers"),
    Fixed(
      name: "kernel-irqchip", values: ["on", "split", "off"],
      reason: "the engine decides who models the interrupt controllers"),
    Fixed(
      name: "dump-guest-core", values: ["off"],
      reason:
        "core dumps of the process leave the guest's memory out; the monitor's dump-guest-memory writes it"),
    Fixed(
      name: "smbios-entry-point-type", values: ["32", "auto"], reason: "the tables are those of SMBIOS 2.8"),
    Fixed(name: "suppress-vmdesc", values: ["off", "on"], reason: "there is no migration"),
  ]

  /// The text of `-machine help`.
  static let machineHelp = """
    Supported machines are:
    pc                   Standard PC (i440FX + PIIX3) (alias of pc-i440fx-7.2)
    pc-i440fx-7.2        Standard PC (i440FX + PIIX3) (default)
    '-machine pc,help' lists the properties.

    """

  /// The text of `-machine TYPE,help`.
  static var machinePropertyHelp: String {
    let own = [
      ("accel=<string>", "what executes the guest: kvm, soft, qtest; kvm:soft tries in order"),
      ("acpi=<bool>", "the firmware gets ACPI tables (on)"),
      ("append=<string>", "as -append"), ("firmware=<string>", "as -bios"),
      ("fd-bootchk=<bool>", "only floppies with a boot signature are booted from (on)"),
      ("graphics=<bool>", "off: as -nographic"), ("initrd=<string>", "as -initrd"), ("usb=<bool>", "as -usb"),
      ("kernel=<string>", "as -kernel"), ("mem-merge=<bool>", "the host may merge equal pages (off)"),
    ]
    let rest = fixed.map { ("\($0.name)=", "\($0.values.joined(separator: " or ")) only: \($0.reason)") }
    return "pc-i440fx-7.2-machine options:\n"
      + (own + rest).sorted { $0.0 < $1.0 }.map { name, about in
        "  \(name)\(String(repeating: " ", count: max(1, 26 - name.count)))\(about)\n"
      }.joined()
  }

  /// Every `-machine`, of which the last word about a property counts, and `-accel`.
  mutating func configureMachineType() throws(OptionError) {
    var names = options.machine.accel
    var list =
      try merged(options.machine.machine, option: "-machine", implied: "type")
      ?? PropertyList([], option: "-machine")
    if let type = list.take("type") { try checkMachineType(type) }
    if let name = list.take("accel") { names.insert(name, at: 0) }
    if options.machine.enableKVM { names.append("kvm") }
    try takeMachineProperties(&list)
    try list.finish()
    try configureAccelerators(names)
  }

  private func checkMachineType(_ type: String) throws(OptionError) {
    if type == "pc" || type.hasPrefix("pc-i440fx") { return }
    let about =
      type.hasPrefix("q35") || type.hasPrefix("pc-q35")
      ? "the chip set Q35 is not supported" : "there is no such machine"
    throw OptionError(
      "-machine \(type): \(about); 'pc' (i440FX and PIIX3) is what there is")
  }

  private mutating func takeMachineProperties(_ list: inout PropertyList) throws(OptionError) {
    configuration.hasACPI = try list.takeFlag("acpi") ?? true
    if options.machine.noACPI { configuration.hasACPI = false }
    if let isChecked = try list.takeFlag("fd-bootchk") {
      configuration.boot.checksFloppySignature = isChecked
    }
    if options.boot.noFloppyCheck { configuration.boot.checksFloppySignature = false }
    if let isMerged = try list.takeFlag("mem-merge") { configuration.memoryBacking.isMergeable = isMerged }
    if try list.takeFlag("graphics") == false { options.display.noGraphic = true }
    if try list.takeFlag("usb") == true { options.usb.usb = true }
    // The options themselves come later on the command line of whoever gives both.
    let (kernel, initrd) = (list.take("kernel"), list.take("initrd"))
    let (append, firmware) = (list.take("append"), list.take("firmware"))
    options.boot.kernel = options.boot.kernel ?? kernel
    options.boot.initrd = options.boot.initrd ?? initrd
    options.boot.append = options.boot.append ?? append
    options.boot.bios = options.boot.bios ?? firmware
    for property in Self.fixed {
      try list.takeFixed(property.name, property.values, because: property.reason)
    }
  }

  private mutating func configureAccelerators(_ texts: [String]) throws(OptionError) {
    var names: [String] = []
    for text in texts {
      var list = try PropertyList(text, option: "-accel", implied: "accel")
      if let name = list.take("accel") { names += name.split(separator: ":").map(String.init) }
      // QEMU's engine in software has one thread for all CPUs, or one each; ours has one each.
      try list.takeFixed("thread", ["multi"], because: "each virtual CPU has a thread")
      try list.takeFixed(
        "kernel-irqchip", ["on", "split", "off"],
        because: "the engine decides who models the interrupt controllers")
      try list.finish()
    }
    // "kvm:tcg" asks for the first that works; "tcg" is what QEMU calls its engine in software.
    for part in names where part != "auto" {
      guard let accelerator = Accelerator(rawValue: part == "tcg" ? "soft" : part) else {
        throw OptionError(
          "-accel \(part): there is no such engine\(didYouMean(part, in: Accelerator.allCases.map(\.rawValue))); "
            + "known: kvm, soft, qtest, auto")
      }
      configuration.accelerators.append(accelerator)
    }
  }
}
