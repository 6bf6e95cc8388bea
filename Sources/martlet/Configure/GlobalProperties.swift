// SPDX-License-Identifier: GPL-2.0-or-later

import OptionSyntax

/// The devices a person can name, and the properties each has: for `-device`, `-global` and their help.
enum DeviceCatalog {
  /// One kind of device.
  struct Driver {
    let name: String
    let about: String
    let properties: [(name: String, about: String)]
    /// Whether `-device` can add one; others are part of the board and are only reached by `-global`.
    let canBeAdded: Bool
  }

  static let drivers: [Driver] = [
    Driver(
      name: "isa-debugcon", about: "debug console: bytes written to an I/O port",
      properties: [
        ("iobase", "I/O port (0xe9)"), ("readback", "what reading the port returns (0xe9)"),
        ("chardev", "id of a -chardev"),
      ], canBeAdded: true),
    Driver(
      name: "isa-debug-exit", about: "ends the process with the status the guest writes, times 2 plus 1",
      properties: [("iobase", "I/O port (0x501)"), ("iosize", "number of ports: 1, 2 or 4 (2)")],
      canBeAdded: true),
    Driver(
      name: "VGA", about: "graphics card (-vga std)",
      properties: [
        ("vgamem_mb", "video memory in MiB, a power of two (16)"),
        ("xres", "preferred width in the EDID (1024)"),
        ("yres", "preferred height in the EDID (768)"), ("romfile", "option ROM instead of the usual one"),
      ], canBeAdded: false),
  ]

  /// The driver with that name.
  static func driver(_ name: String, option: String) throws(OptionError) -> Driver {
    if let driver = drivers.first(where: { $0.name == name }) { return driver }
    throw OptionError(
      "\(option): there is no device '\(name)'\(didYouMean(name, in: drivers.map(\.name)));"
        + " '-device help' lists what there is")
  }

  /// The text of `-device help`.
  static var help: String {
    drivers.map { driver in
      let properties = driver.properties.map { "    \($0.name)= \($0.about)" }.joined(separator: "\n")
      return "\(driver.name): \(driver.about)\(driver.canBeAdded ? "" : " (only by -global)")\n\(properties)"
    }.joined(separator: "\n") + "\n"
  }
}

/// What `-global` set: values for properties of every device of a driver.
struct GlobalProperties {
  private var values: [String: [String: String]] = [:]

  /// No properties.
  init() {}

  /// Reads `driver.property=value` for each option given.
  init(_ texts: [String]) throws(OptionError) {
    for text in texts {
      guard let equals = text.firstIndex(of: "="), let dot = text[..<equals].lastIndex(of: ".") else {
        throw OptionError("-global: '\(text)' is not of the form driver.property=value")
      }
      let driver = try DeviceCatalog.driver(String(text[..<dot]), option: "-global")
      let property = String(text[text.index(after: dot)..<equals])
      guard driver.properties.contains(where: { $0.name == property }) else {
        let known = driver.properties.map(\.name)
        throw OptionError(
          "-global: \(driver.name) has no property '\(property)'\(didYouMean(property, in: known))")
      }
      values[driver.name, default: [:]][property] = String(text[text.index(after: equals)...])
    }
  }

  /// A property list with the global values first, so that a device's own win.
  func list(for driver: String, own: String = "", option: String) throws(OptionError) -> PropertyList {
    let global = (values[driver] ?? [:]).map { "\($0.key)=\(escaped($0.value))" }.sorted()
    let text = ([driver] + global + (own.isEmpty ? [] : [own])).joined(separator: ",")
    return try PropertyList(text, option: option, implied: "driver")
  }

  private func escaped(_ value: String) -> String {
    value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
  }
}
