// SPDX-License-Identifier: GPL-2.0-or-later

import Firmware
import OptionSyntax

extension ConfigurationBuilder {
  /// `-smbios type=N,field=value …` or `-smbios file=PATH`. What is said later about a field counts.
  mutating func addSMBIOS(_ text: String) throws(OptionError) {
    var list = try PropertyList(text, option: "-smbios")
    if let file = list.take("file") {
      try list.finish()
      configuration.smbios.files.append(file)
      return
    }
    guard let type = list.take("type") else {
      throw OptionError("-smbios \(text): type= or file= is missing")
    }
    let types = SMBIOSSettings.fields.keys.sorted()
    guard let number = UInt8(type), let fields = SMBIOSSettings.fields[number] else {
      throw OptionError(
        "-smbios: type=\(type) is not supported; there are \(types.map { "\($0)" }.joined(separator: ", ")), and file= for others"
      )
    }
    configuration.smbios.settings.mention(type: number)
    for field in fields {
      guard let value = list.take(field.rawValue) else { continue }
      let flag = ["yes": "on", "true": "on", "y": "on", "no": "off", "false": "off", "n": "off"]
      let usual = field.kind == .flag ? flag[value] ?? value : value
      guard SMBIOSSettings.isWellFormed(usual, for: field) else {
        throw OptionError(
          "-smbios type=\(type): \(field.rawValue)=\(value) must be \(expectation(field.kind))")
      }
      configuration.smbios.settings[number, field] = usual
      // The firmware configuration device has it, too.
      if field == .uuid { configuration.uuid = value }
    }
    if number == 11 {
      configuration.smbios.settings.oemStrings += list.takeEach("value")
      for path in list.takeEach("path") {
        configuration.smbios.settings.oemStrings.append(try contents(path))
      }
    }
    try list.finish()
  }

  private func contents(_ path: String) throws(OptionError) -> String {
    guard let bytes = HostFile.read(path) else {
      throw OptionError("-smbios type=11: cannot read '\(path)'")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func expectation(_ kind: SMBIOSSettings.Field.Kind) -> String {
    switch kind {
    case .text: "a text"
    case .number: "a number from 0 to 65535"
    case .wideNumber: "a number of 64 bits"
    case .flag: "on or off"
    case .release: "two numbers from 0 to 255 with a dot between them"
    case .uuid: "of the form 8-4-4-4-12 hexadecimal digits"
    }
  }
}
