// SPDX-License-Identifier: GPL-2.0-or-later

import Machine
import OptionSyntax

/// What `-global` set: values for properties of every device of a driver.
struct GlobalProperties {
  private var values: [String: [String: String]] = [:]

  /// Properties of what the board always has, of which there is one way only: the values that mean it, and why.
  private static let builtIn: [String: [String: (values: [String], reason: String)]] = [
    "PIIX4_PM": [
      "disable_s3": (["1", "on", "true"], "there is no suspend to RAM"),
      "disable_s4": (["1", "on", "true"], "there is no suspend to disk"),
    ],
    "kvm-pit": ["lost_tick_policy": (["delay", "discard"], "lost ticks are not made up for")],
    "mc146818rtc": ["lost_tick_policy": (["discard"], "lost ticks are not made up for")],
  ]

  /// No properties.
  init() {}

  /// Reads `driver.property=value`, or `driver=,property=,value=`, for each option given.
  init(_ texts: [String]) throws(OptionError) {
    for text in texts {
      let (name, property, value) = try Self.split(text)
      if let known = Self.builtIn[name] {
        guard let (values, reason) = known[property] else {
          throw OptionError(
            "-global: \(name) has no property '\(property)'\(didYouMean(property, in: known.keys))")
        }
        guard values.contains(value) else {
          throw OptionError("-global \(text) is not supported: \(reason); \(property)=\(values[0]) is")
        }
        continue
      }
      let driver = try DeviceCatalog.driver(name, option: "-global")
      guard driver.properties.contains(where: { $0.name == property }) else {
        let known = driver.properties.map(\.name)
        throw OptionError(
          "-global: \(driver.name) has no property '\(property)'\(didYouMean(property, in: known))")
      }
      values[driver.name, default: [:]][property] = value
    }
  }

  /// The three parts of a `-global`.
  static func split(_ text: String) throws(OptionError) -> (String, String, String) {
    if text.hasPrefix("driver=") {
      var list = try PropertyList(text, option: "-global")
      if let driver = list.take("driver"), let property = list.take("property"),
        let value = list.take("value")
      {
        try list.finish()
        return (driver, property, value)
      }
    } else if let equals = text.firstIndex(of: "="), let dot = text[..<equals].firstIndex(of: ".") {
      return (
        String(text[..<dot]), String(text[text.index(after: dot)..<equals]),
        String(text[text.index(after: equals)...])
      )
    }
    throw OptionError("-global: '\(text)' is not of the form driver.property=value")
  }

  /// What holds for every device of a driver, with what one has of its own, which wins.
  func properties(of driver: String, own: PropertyList? = nil, option: String) -> PropertyList {
    let global = (values[driver] ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    return PropertyList(global + (own?.remaining.map { ($0.key, $0.value) } ?? []), option: option)
  }
}
