// SPDX-License-Identifier: GPL-2.0-or-later

import Network
import OptionSyntax
import TextEncoding

/// Something that others refer to by its id (`-object`, `object-add`).
public enum ObjectConfiguration: Sendable, Equatable {
  /// `secret`: a password, which so does not stand among the options of what uses it.
  case secret(id: String, data: [UInt8])
  /// `filter-dump`: a file that gets what goes over a network cable.
  case capture(CaptureConfiguration)

  /// The kinds, by QEMU's names.
  public static let typeNames = ["filter-dump", "secret"]

  /// Its id.
  public var id: String {
    switch self {
    case .secret(let id, _): id
    case .capture(let capture): capture.id
    }
  }

  /// Its kind's name.
  public var typeName: String {
    switch self {
    case .secret: "secret"
    case .capture: "filter-dump"
    }
  }

  /// Takes an object's properties out of a list.
  public init(_ list: inout PropertyList) throws(OptionError) {
    let option = list.option
    guard let type = list.take("qom-type") else { throw OptionError("\(option): qom-type= is missing") }
    guard let id = list.take("id"), !id.isEmpty else {
      throw OptionError("\(option) \(type): id= is missing")
    }
    switch type {
    case "secret": self = .secret(id: id, data: try Self.secret(&list))
    case "filter-dump":
      guard let backEnd = list.take("netdev") else {
        throw OptionError("\(option) \(type): netdev= is missing")
      }
      guard let path = list.take("file") else { throw OptionError("\(option) \(type): file= is missing") }
      var capture = CaptureConfiguration(id: id, backEnd: backEnd, path: path)
      capture.longest = try list.takeInteger("maxlen", in: 1...1 << 20) ?? capture.longest
      if let queue = list.take("queue"), queue != "all" {
        throw OptionError("\(option) \(type): queue=\(queue) is not supported, only all")
      }
      self = .capture(capture)
    default:
      throw OptionError(
        "\(option): there is no object type '\(type)'\(didYouMean(type, in: Self.typeNames)); known are "
          + Self.typeNames.joined(separator: ", "))
    }
  }

  private static func secret(_ list: inout PropertyList) throws(OptionError) -> [UInt8] {
    let option = "\(list.option) secret"
    guard list.take("keyid") == nil, list.take("iv") == nil else {
      throw OptionError(
        "\(option): keyid= is not supported: give the secret in a file that only you can read")
    }
    var bytes: [UInt8]
    switch (list.take("data"), list.take("file")) {
    case (let text?, nil): bytes = Array(text.utf8)
    case (nil, let path?): bytes = try SecretFile.read(path, option: option)
    default: throw OptionError("\(option): one of data= and file= must be given")
    }
    switch list.take("format") {
    case nil, "raw": break
    case "base64":
      let text = bytes.filter { $0 > 32 }
      bytes = Base64Text.bytes(text[...], count: text.count)
      guard Base64Text.text(bytes).utf8.elementsEqual(text) else {
        throw OptionError("\(option): that is no base64")
      }
    case let format?: throw OptionError("\(option): format=\(format) must be raw or base64")
    }
    return bytes
  }
}
