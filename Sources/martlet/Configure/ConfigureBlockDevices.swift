// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  /// `-blockdev`: nodes of protocol `file` and format `raw`, of which the second holds or names the first.
  mutating func configureBlockDevices() throws(OptionError) {
    var files: [String: PropertyList] = [:]
    for text in options.drives.blockdev {
      var list = try PropertyList(anySpelling: text, option: "-blockdev", implied: "driver")
      guard let name = list.take("node-name") else { throw OptionError("-blockdev: node-name= is missing") }
      switch list.take("driver") {
      case "file", "host_device":
        files[name] = list
        // A file can be used as it is.
        try addBackEnd(
          try image(ofNode: name, format: PropertyList([], option: "-blockdev"), file: list), id: name)
      case "raw":
        var file: PropertyList
        if let other = list.take("file") {
          guard let known = files[other] else {
            throw OptionError(
              "-blockdev \(name): there is no node '\(other)'\(didYouMean(other, in: files.keys))")
          }
          file = known
          backEnds.removeValue(forKey: other)
        } else {
          file = list.takeAll(prefix: "file.")
          guard let driver = file.take("driver"), ["file", "host_device"].contains(driver) else {
            throw OptionError("-blockdev \(name): file.driver=file is missing")
          }
        }
        try addBackEnd(try image(ofNode: name, format: list, file: file), id: name)
      case nil: throw OptionError("-blockdev \(name): driver= is missing")
      case let driver?:
        throw OptionError(
          "-blockdev \(name): driver=\(driver) is not supported, only file and raw"
            + didYouMean(driver, in: ["file", "raw", "host_device"]))
      }
    }
  }

  /// The image of a node. What the format's node says counts, and what it does not say is the file's.
  private func image(ofNode name: String, format: PropertyList, file: PropertyList) throws(OptionError)
    -> DriveConfiguration
  {
    var (format, file) = (format, file)
    guard let path = file.take("filename") else {
      throw OptionError("-blockdev \(name): filename= is missing")
    }
    var drive = DriveConfiguration(file: path)
    drive.nodeName = name
    drive.image.isFormatGiven = true
    func flag(_ key: String) throws(OptionError) -> Bool? {
      let outer = try format.takeFlag(key)
      let inner = try file.takeFlag(key)
      return outer ?? inner
    }
    drive.image.isReadOnly = try flag("read-only") ?? false
    _ = try flag("auto-read-only")
    let isDirect = try flag("cache.direct") ?? false
    drive.image.cache = try flag("cache.no-flush") ?? false ? .unsafe : isDirect ? .none : .writeback
    for discard in [format.take("discard"), file.take("discard")].compactMap({ $0 }) {
      guard ["ignore", "unmap"].contains(discard) else {
        throw OptionError("-blockdev \(name): discard=\(discard) must be ignore or unmap")
      }
      drive.image.discard = discard == "unmap" ? .unmap : .ignore
    }
    drive.image.aio = try file.takeChoice("aio")
    if let locking = file.take("locking") { drive.image.isLocked = locking != "off" }
    try format.finish()
    try file.finish()
    return drive
  }
}
