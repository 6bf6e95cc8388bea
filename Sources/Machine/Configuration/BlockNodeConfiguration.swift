// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import OptionSyntax

/// A node of `-blockdev` or `blockdev-add`: a file of the host (the protocol), or what is in one (the format).
public struct BlockNodeConfiguration: Sendable, Equatable {
  /// What a node is.
  public enum Driver: String, Sendable, CaseIterable {
    case file
    case hostDevice = "host_device"
    case raw
  }

  /// `node-name=`.
  public let name: String
  /// `driver=`.
  public let driver: Driver
  /// The node that holds the bytes, if that is one of its own.
  public let fileNode: String?
  /// The image, unless another node holds the bytes.
  private let path: String?
  private let isReadOnly: Bool?
  private let isDirect: Bool?
  private let skipsFlushes: Bool?
  private let discard: DiscardMode?
  private let aio: AsynchronousIO?
  private let isLocked: Bool?

  /// Takes a node's properties out of a list.
  public init(_ list: inout PropertyList) throws(OptionError) {
    let option = list.option
    guard let name = list.take("node-name"), !name.isEmpty else {
      throw OptionError("\(option): node-name= is missing")
    }
    guard name.utf8.count < 32 else { throw OptionError("\(option): node-name=\(name) is too long") }
    let known = Driver.allCases.map(\.rawValue)
    guard let word = list.take("driver") else { throw OptionError("\(option) \(name): driver= is missing") }
    guard let driver = Driver(rawValue: word) else {
      throw OptionError(
        "\(option) \(name): driver=\(word) is not supported, only file and raw\(didYouMean(word, in: known))")
    }
    (self.name, self.driver) = (name, driver)
    var file: PropertyList?
    if driver != .raw {
      fileNode = nil
    } else if let other = list.take("file") {
      fileNode = other
    } else {
      fileNode = nil
      var inner = list.takeAll(prefix: "file.")
      guard let protocolDriver = inner.take("driver"), ["file", "host_device"].contains(protocolDriver) else {
        throw OptionError("\(option) \(name): file.driver=file is missing")
      }
      file = inner
    }
    // What the format says counts; what it does not say is the file's.
    func flag(_ key: String) throws(OptionError) -> Bool? {
      let outer = try list.takeFlag(key)
      let inner = try file?.takeFlag(key)
      return outer ?? inner ?? nil
    }
    isReadOnly = try flag("read-only")
    _ = try flag("auto-read-only")
    isDirect = try flag("cache.direct")
    skipsFlushes = try flag("cache.no-flush")
    let discards: [DiscardMode?] = [try list.takeChoice("discard"), try file?.takeChoice("discard") ?? nil]
    discard = discards.contains(.unmap) ? .unmap : discards.contains(.ignore) ? .ignore : nil
    func place(_ list: inout PropertyList) throws(OptionError) -> (String?, AsynchronousIO?, Bool?) {
      guard let filename = list.take("filename"), !filename.isEmpty else {
        throw OptionError("\(option) \(name): filename= is missing")
      }
      return (filename, try list.takeChoice("aio"), list.take("locking").map { $0 != "off" })
    }
    if var inner = file {
      (path, aio, isLocked) = try place(&inner)
      try inner.finish()
    } else {
      (path, aio, isLocked) = fileNode == nil ? try place(&list) : (nil, nil, nil)
    }
    try list.finish()
  }

  /// The image and how it is opened; nil if `file` must be there and is not.
  /// - Parameter file: the node that holds the bytes, if it is one of its own.
  public func image(over file: BlockNodeConfiguration?) -> DriveConfiguration? {
    guard let path = path ?? file?.path else { return nil }
    var drive = DriveConfiguration(file: path)
    drive.nodeName = name
    drive.image.isFormatGiven = true
    drive.image.isReadOnly = isReadOnly ?? file?.isReadOnly ?? false
    let isDirect = isDirect ?? file?.isDirect ?? false
    drive.image.cache = skipsFlushes ?? file?.skipsFlushes ?? false ? .unsafe : isDirect ? .none : .writeback
    drive.image.discard = discard == .unmap || file?.discard == .unmap ? .unmap : .ignore
    drive.image.aio = aio ?? file?.aio
    drive.image.isLocked = isLocked ?? file?.isLocked ?? true
    return drive
  }
}
