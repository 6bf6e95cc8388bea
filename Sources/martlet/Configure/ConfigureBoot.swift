// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-boot -bios -L -kernel -initrd -append -fw_cfg`.
  mutating func configureBoot() throws(OptionError) {
    let boot = options.boot
    configuration.firmware.bios = boot.bios
    configuration.firmware.searchDirectories = boot.directories
    configuration.firmware.kernel = boot.kernel
    configuration.firmware.initrd = boot.initrd
    configuration.firmware.commandLine = boot.append
    if boot.kernel == nil, let option = boot.initrd != nil ? "-initrd" : boot.append != nil ? "-append" : nil
    {
      throw OptionError("\(option) belongs to a kernel: give -kernel too")
    }
    for text in boot.smbios { try addSMBIOS(text) }
    for text in boot.firmwareFiles { configuration.firmware.files.append(try firmwareFile(text)) }
    guard var list = try merged(boot.boot, option: "-boot", implied: "order") else { return }
    if let order = list.take("order") { configuration.boot.order = try checkedOrder(order) }
    if let once = list.take("once") { configuration.boot.once = try checkedOrder(once) }
    configuration.boot.showsMenu = try list.takeFlag("menu") ?? false
    configuration.boot.menuWaitMilliseconds = try list.takeInteger("splash-time", in: 0...65535)
    configuration.boot.rebootTimeoutMilliseconds = try list.takeInteger("reboot-timeout", in: -1...65535)
      .flatMap { $0 < 0 ? nil : $0 }
    configuration.boot.isStrict = try list.takeFlag("strict") ?? false
    try list.finish()
  }

  private func firmwareFile(_ text: String) throws(OptionError) -> FirmwareFileConfiguration {
    var list = try PropertyList(text, option: "-fw_cfg", implied: "name")
    guard let name = list.take("name"), !name.isEmpty else {
      throw OptionError("-fw_cfg \(text): name= is missing")
    }
    let (file, string) = (list.take("file"), list.take("string"))
    try list.finish()
    switch (file, string) {
    case (let path?, nil): return FirmwareFileConfiguration(name: name, contents: .file(path))
    case (nil, let text?): return FirmwareFileConfiguration(name: name, contents: .text(text))
    default: throw OptionError("-fw_cfg \(text): give either file= or string=")
    }
  }

  private func checkedOrder(_ order: String) throws(OptionError) -> String {
    for letter in order where !"abcdn".contains(letter) {
      throw OptionError(
        "-boot: '\(letter)' in '\(order)' must be one of a, b (floppy), c (disk), d (CD), n (network)")
    }
    guard Set(order).count == order.count else {
      throw OptionError("-boot: '\(order)' names a device twice")
    }
    return order
  }
}
