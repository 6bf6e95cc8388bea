// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import Machine
import OptionSyntax

extension ConfigurationBuilder {
  private typealias Position = DriveConfiguration.Position
  private enum Interface: String, CaseIterable { case ide, none, pflash }
  /// QEMU also understands off and on.
  private enum Discard: String, CaseIterable { case ignore, off, unmap, on }

  /// A bare image, `-hda` … `-hdd`, `-cdrom`, `-drive`, `-snapshot`.
  mutating func configureDrives() throws(OptionError) {
    let given = options.drives
    var drives: [(option: String, drive: DriveConfiguration)] = []
    func add(_ option: String, _ file: String?, index: Int, media: Drive.Kind = .disk) {
      guard let file else { return }
      var drive = DriveConfiguration(file: file, media: media)
      drive.position = Position(index: index)
      drive.isSnapshot = given.snapshot && media == .disk
      drives.append((option, drive))
    }
    if let image = options.image {
      if given.hda != nil {
        throw OptionError("'\(image)' and -hda \(given.hda ?? "") both want to be the first disk")
      }
      add("the image", image, index: 0)
    }
    add("-hda", given.hda, index: 0)
    add("-hdb", given.hdb, index: 1)
    add("-hdc", given.hdc, index: 2)
    add("-hdd", given.hdd, index: 3)
    add("-cdrom", given.cdrom, index: 2, media: .cdrom)
    for text in given.drive {
      var (drive, interface) = try drive(text)
      if given.snapshot && drive.media == .disk { drive.isSnapshot = true }
      switch interface {
      case .ide: drives.append(("-drive", drive))
      case .none: try addBackEnd(drive, id: drive.id)
      case .pflash: try addFlash(drive)
      }
    }
    try configureBlockDevices()
    configuration.drives = try placed(drives)
    for index in configuration.drives.indices { try applyGlobals(to: &configuration.drives[index]) }
  }

  /// Flash holds the firmware instead of `-bios`; nothing is written to it.
  private mutating func addFlash(_ drive: DriveConfiguration) throws(OptionError) {
    guard let file = drive.file else { throw OptionError("-drive if=pflash: file= is missing") }
    guard configuration.firmware.bios == nil, drive.position?.index ?? 0 == 0 else {
      throw OptionError("-drive if=pflash: there is one image of firmware only; a second is not supported")
    }
    configuration.firmware.bios = file
  }

  /// What `-global` says about drives that no `-device` made.
  private func applyGlobals(to drive: inout DriveConfiguration) throws(OptionError) {
    let driver = drive.media == .disk ? "ide-hd" : "ide-cd"
    var list = globals.properties(of: driver, option: "-global \(driver)")
    if drive.serial == nil, let serial = list.take("serial") {
      drive.serial = try checkedSerial(serial, option: list.option)
    }
    if let version = list.take("ver") {
      drive.firmwareVersion = try checkedVersion(version, option: list.option)
    }
  }

  /// Keeps a drive for the device that will name it.
  mutating func addBackEnd(_ drive: DriveConfiguration, id: String?) throws(OptionError) {
    guard let id else { throw OptionError("-drive if=none: id= is missing") }
    guard backEnds.updateValue(drive, forKey: id) == nil else {
      throw OptionError("there are two drives called '\(id)'")
    }
  }

  /// A drive that no device uses would be there for nothing: rather a slip of the pen.
  mutating func checkBackEnds() throws(OptionError) {
    guard let id = backEnds.keys.min() else { return }
    // Where there is USB, a stick may be made of it later.
    if !configuration.usb.controllers.isEmpty {
      for (_, drive) in backEnds.sorted(by: { $0.key < $1.key }) where drive.nodeName == nil {
        var drive = drive
        drive.position = nil
        configuration.drives.append(drive)
      }
      return
    }
    throw OptionError("the drive '\(id)' is used by no device: add '-device ide-hd,drive=\(id)'")
  }

  private func drive(_ text: String) throws(OptionError) -> (DriveConfiguration, Interface) {
    var list = try PropertyList(text, option: "-drive", implied: "file")
    var drive = DriveConfiguration(file: list.take("file"))
    drive.media = try list.takeChoice("media") ?? .disk
    let interface = try list.takeChoice("if", of: Interface.self) ?? .ide
    if let index = try list.takeInteger("index", in: 0...3) { drive.position = Position(index: index) }
    let bus = try list.takeInteger("bus", in: 0...1)
    let unit = try list.takeInteger("unit", in: 0...1)
    if bus != nil || unit != nil {
      guard drive.position == nil else {
        throw OptionError("-drive: give index= or bus= and unit=, not both")
      }
      drive.position = Position(channel: bus ?? 0, unit: unit ?? 0)
    }
    let format = list.take("format")
    drive.image.isFormatGiven = format != nil
    if let format, format != "raw" {
      throw OptionError(
        "-drive: format=\(format) is not supported, only raw; 'qemu-img convert -O raw' makes such an image")
    }
    drive.image.cache = try list.takeChoice("cache") ?? .writeback
    let readOnly = (try list.takeFlag("readonly"), try list.takeFlag("read-only"))
    drive.image.isReadOnly = readOnly.0 ?? readOnly.1 ?? (drive.media == .cdrom)
    drive.isSnapshot = try list.takeFlag("snapshot") ?? false
    if let discard = try list.takeChoice("discard", of: Discard.self) {
      drive.image.discard = discard == .unmap || discard == .on ? .unmap : .ignore
    }
    drive.writeErrorPolicy = try list.takeChoice("werror") ?? .enospc
    drive.readErrorPolicy = try list.takeChoice("rerror") ?? .report
    guard drive.readErrorPolicy != .enospc else {
      throw OptionError("-drive: rerror=enospc makes no sense for reads")
    }
    if let serial = list.take("serial") { drive.serial = try checkedSerial(serial, option: "-drive") }
    drive.bootIndex = try list.takeInteger("bootindex", in: 0...65535)
    drive.image.aio = try list.takeChoice("aio")
    drive.id = list.take("id")
    try list.finish()
    if drive.file == nil, drive.media == .disk, interface == .ide {
      throw OptionError("-drive: a disk needs file=")
    }
    return (drive, interface)
  }

  /// A firmware version as ATA has room for it.
  func checkedVersion(_ version: String, option: String) throws(OptionError) -> String {
    guard version.utf8.count <= 8, version.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw OptionError("\(option): ver=\(version) must be at most 8 printable characters")
    }
    return version
  }

  /// A serial number as ATA has room for it.
  func checkedSerial(_ serial: String, option: String) throws(OptionError) -> String {
    guard serial.utf8.count <= 20, serial.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw OptionError("\(option): serial=\(serial) must be at most 20 printable characters")
    }
    return serial
  }

  /// Gives drives without a place the first free one, and refuses two in one place.
  private func placed(
    _ drives: [(option: String, drive: DriveConfiguration)]
  ) throws(OptionError) -> [DriveConfiguration] {
    var taken: [Int: String] = [:]
    for (option, drive) in drives {
      guard let index = drive.position?.index else { continue }
      if let other = taken[index] {
        throw OptionError(
          "\(option) and \(other) both want IDE channel \(index / 2) unit \(index & 1); give one index= 0 … 3"
        )
      }
      taken[index] = option
    }
    var result: [DriveConfiguration] = []
    for (option, drive) in drives {
      var drive = drive
      if drive.position == nil {
        // A CD without a place goes where -cdrom would put it, as QEMU's users expect of a first CD.
        let order = drive.media == .cdrom ? [2, 3, 1, 0] : [0, 1, 2, 3]
        guard let index = order.first(where: { taken[$0] == nil }) else {
          throw OptionError("\(option): there is room for four IDE drives only")
        }
        taken[index] = option
        drive.position = Position(index: index)
      }
      result.append(drive)
    }
    return result.sorted { ($0.position?.index ?? 0) < ($1.position?.index ?? 0) }
  }
}
