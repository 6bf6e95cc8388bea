// SPDX-License-Identifier: GPL-2.0-or-later

/// The value of an option in QEMU's syntax: `first,key=value,key=value`, where a comma in a value is written
/// twice, `key` alone means `key=on`, and `nokey` alone means `key=off`.
///
/// Properties are taken out one by one by whoever understands them; what is left over at the end is an error
/// that names the nearest property that would have been understood.
public struct PropertyList: Sendable {
  /// The option this is the value of, for messages: "-drive".
  public let option: String
  private var properties: [(key: String, value: String)] = []
  /// Keys without a value, in case they turn out to be `nokey`.
  private var bareKeys: Set<String> = []
  private var asked: [String] = []

  /// Splits `text`. If `implied` is given, a first part without `=` is the value of that key.
  public init(_ text: String, option: String, implied: String? = nil) throws(OptionError) {
    self.option = option
    for (index, part) in Self.split(text).enumerated() {
      if let equals = part.firstIndex(of: "=") {
        let key = String(part[..<equals])
        guard !key.isEmpty else { throw OptionError("\(option): '\(part)' has no name before the '='") }
        properties.append((key, String(part[part.index(after: equals)...])))
      } else if index == 0, let implied {
        properties.append((implied, part))
      } else if !part.isEmpty {
        properties.append((part, "on"))
        bareKeys.insert(part)
      }
    }
  }

  /// A list of these properties, of which the last of a name counts.
  public init(_ properties: [(key: String, value: String)], option: String) {
    self.option = option
    self.properties = properties
  }

  /// Splits at single commas; two commas are one comma of the value.
  private static func split(_ text: String) -> [String] {
    var parts: [String] = [""]
    var characters = Substring(text)
    while let character = characters.popFirst() {
      if character != "," {
        parts[parts.count - 1].append(character)
      } else if characters.first == "," {
        parts[parts.count - 1].append(",")
        characters.removeFirst()
      } else {
        parts.append("")
      }
    }
    return parts
  }

  /// Takes the value of `key` out; the last one counts, as in QEMU. Nil if it was not given.
  public mutating func take(_ key: String) -> String? {
    asked.append(key)
    var result: String?
    for (given, value) in properties {
      if given == key {
        result = value
      } else if given == "no" + key, bareKeys.contains(given) {
        result = "off"
      }
    }
    properties.removeAll { $0.key == key || ($0.key == "no" + key && bareKeys.contains($0.key)) }
    return result
  }

  /// Takes all values of `key`, in the order given: of a property that may be there more than once. In JSON it is an
  /// array, of values or of objects with one member `str`.
  public mutating func takeEach(_ key: String) -> [String] {
    asked.append(key)
    let prefix = key + "."
    func isElement(_ name: String) -> Bool {
      guard name.hasPrefix(prefix) else { return false }
      var rest = name.dropFirst(prefix.count)
      if rest.hasSuffix(".str") { rest = rest.dropLast(4) }
      return !rest.isEmpty && rest.allSatisfy(\.isNumber)
    }
    let taken = properties.filter { $0.key == key || isElement($0.key) }.map(\.value)
    properties.removeAll { $0.key == key || isElement($0.key) }
    return taken
  }

  /// Takes a value that is on or off.
  public mutating func takeFlag(_ key: String) throws(OptionError) -> Bool? {
    guard let value = take(key) else { return nil }
    switch value {
    case "on", "yes", "true", "y": return true
    case "off", "no", "false", "n": return false
    default: throw OptionError("\(option): \(key)=\(value) must be on or off")
    }
  }

  /// Takes an integer, decimal or hexadecimal with 0x, inside `range`.
  public mutating func takeInteger(_ key: String, in range: ClosedRange<Int>) throws(OptionError) -> Int? {
    guard let value = take(key) else { return nil }
    guard let number = parseInteger(value), range.contains(number) else {
      throw OptionError(
        "\(option): \(key)=\(value) must be a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// Takes one of a set of words.
  public mutating func takeChoice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, of type: Choice.Type = Choice.self
  ) throws(OptionError) -> Choice? where Choice.RawValue == String {
    guard let value = take(key) else { return nil }
    if let choice = Choice(rawValue: value) { return choice }
    let known = Choice.allCases.map(\.rawValue)
    throw OptionError(
      "\(option): \(key)=\(value) must be one of \(known.joined(separator: ", "))\(didYouMean(value, in: known))"
    )
  }

  /// Takes a property out of which there is one way only here.
  /// - Parameters:
  ///   - values: the values that mean that way.
  ///   - reason: why there is no other, for the error.
  public mutating func takeFixed(_ key: String, _ values: [String], because reason: String)
    throws(OptionError)
  {
    guard let value = take(key) else { return }
    guard values.contains(value) else {
      throw OptionError("\(option): \(key)=\(value) is not supported: \(reason); \(key)=\(values[0]) is")
    }
  }

  /// Takes all properties out whose names begin with `prefix`, as a list without it.
  public mutating func takeAll(prefix: String) -> PropertyList {
    let taken = properties.filter { $0.key.hasPrefix(prefix) }
    properties.removeAll { $0.key.hasPrefix(prefix) }
    return PropertyList(taken.map { (String($0.key.dropFirst(prefix.count)), $0.value) }, option: option)
  }

  /// Throws if a property was given that nobody took.
  public func finish() throws(OptionError) {
    guard let (key, _) = properties.first else { return }
    throw OptionError("\(option): unknown property '\(key)'\(didYouMean(key, in: asked))")
  }

  /// What nobody took yet, with `nokey` as `key=off`.
  public var spelledOut: [(key: String, value: String)] {
    properties.map { key, value in
      let isNegated = key.hasPrefix("no") && key != "nodelay" && bareKeys.contains(key)
      return isNegated ? (String(key.dropFirst(2)), "off") : (key, value)
    }
  }

  /// What nobody took yet, in the order given.
  public var remaining: [(key: String, value: String)] { properties }
}

/// A number, decimal or hexadecimal with 0x.
public func parseInteger(_ text: String) -> Int? {
  if text.hasPrefix("0x") || text.hasPrefix("0X") { return Int(text.dropFirst(2), radix: 16) }
  return Int(text)
}

/// A size in bytes with an optional suffix k, M, G or T (powers of 1024); without one the number counts
/// `unit` bytes. A fraction is understood with a suffix. Nil if it is not a size.
public func parseSize(_ text: String, unit: UInt64 = 1) -> UInt64? {
  guard let last = text.last else { return nil }
  let shift: UInt64?
  switch last {
  case "b", "B": shift = 0
  case "k", "K": shift = 10
  case "m", "M": shift = 20
  case "g", "G": shift = 30
  case "t", "T": shift = 40
  default: shift = nil
  }
  let digits = shift == nil ? Substring(text) : text.dropLast()
  guard digits.first?.isNumber == true else { return nil }
  let multiplier = shift.map { 1 << $0 } ?? unit
  if let number = UInt64(digits) {
    let (product, overflow) = number.multipliedReportingOverflow(by: multiplier)
    return overflow ? nil : product
  }
  guard let fraction = Double(digits), fraction >= 0 else { return nil }
  let product = fraction * Double(multiplier)
  return product < 9e18 ? UInt64(product) : nil
}
