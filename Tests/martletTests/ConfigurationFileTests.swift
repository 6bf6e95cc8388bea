// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import Machine
import OptionSyntax
import TestSupport
import Testing

@testable import martlet

/// Every option, in as many ways as it is written.
enum OptionSamples {
  /// By the option's name; "" stands for an option without a value.
  static let values: [String: [String]] = [
    "m": ["512", "size=1G"], "smp": ["4,sockets=2,cores=2,threads=1"], "cpu": ["qemu64,+ssse3,-nx"],
    "accel": ["kvm:tcg", "soft,thread=multi"], "machine": ["pc,usb=off,acpi=off,mem-merge=on"],
    "enable-kvm": [""],
    "mem-path": ["/dev/hugepages"], "mem-prealloc": [""], "mem-shared": [""], "overcommit": ["mem-lock=on"],
    "name": ["a guest,,really,process=p,debug-threads=on"], "uuid": ["c7a5fdbd-edaf-9455-926a-d65c16db1809"],
    "rtc": ["base=2026-01-31T12:00:00,clock=vm"], "icount": ["3,sleep=off"],
    "device": [
      "ide-hd,drive=d0,id=disk0,bus=ide.0,unit=1,serial=A,,B",
      #"{"driver":"ide-cd","id":"cd \"0\"","bootindex":2}"#,
      "isa-serial,chardev=c1,index=1", "isa-debugcon,chardev=c2,iobase=0x402", "isa-debug-exit",
    ],
    "global": [
      "VGA.vgamem_mb=32", "driver=isa-debugcon,property=readback,value=0x55", "PIIX4_PM.disable_s3=1",
    ],
    "audiodev": ["none,id=a0"], "net": ["nic,model=e1000", "user"],
    "nic": ["none", "user,hostfwd=tcp::2222-:22,hostfwd=tcp::8080-:80,mac=52:54:00:12:34:60"],
    "netdev": ["user,id=n1,hostname=a,,b", #"{"type":"user","id":"n2"}"#], "nodefaults": [""],
    "object": ["secret,id=s0,file=/dev/null", #"{"qom-type":"secret","id":"s1","file":"/dev/null"}"#],
    "add-fd": ["fd=9,set=1,opaque=a,,b"],
    "no-user-config": [""], "usb": [""], "usbdevice": ["tablet", "disk:/u,,v"],
    "no-acpi": [""], "no-hpet": [""], "hda": ["a disk.img"], "hdb": ["/b"], "hdc": ["/c"], "hdd": ["/d"],
    "cdrom": ["/cd,,x"], "snapshot": [""],
    "drive": ["/x,,y,if=none,id=d0,format=raw,cache=none", "file=/z,index=3,media=cdrom"],
    "blockdev": [#"{"driver":"raw","node-name":"n","file":{"driver":"file","filename":"/q\"x"}}"#],
    "boot": ["dc,menu=on,strict=on", "once=n"], "no-fd-bootchk": [""], "bios": ["/bios"],
    "L": ["/l1", "/l2"],
    "kernel": ["/k"], "initrd": ["/i"], "append": ["a=\"b c\" -d,e"],
    "smbios": ["type=1,serial=1,,2", "type=11,value=x,value=y", "file=/f"],
    "fw_cfg": ["opt/x,string=a,,b", "name=opt/y,file=/y"], "vga": ["std"],
    "vnc": ["127.0.0.1:3,to=5,websocket=on"],
    "display": ["none"], "nographic": [""], "k": ["de"], "serial": ["null", "chardev:c3"],
    "parallel": ["null"],
    "debugcon": ["file:/log"],
    "chardev": [
      "socket,id=c1,path=/s,,1,server,nowait,logfile=/log,logappend=on", #"{"backend":"null","id":"c2"}"#,
      "file,id=c3,path=/f,append=on,mux=on", "socket,id=c4,host=h,port=1,server=on,wait=off,telnet,nodelay",
    ],
    "qmp": ["unix:/q,server,nowait"], "qmp-pretty": ["tcp::4444,server=on,wait=off"], "monitor": ["none"],
    "mon": ["c4,mode=control,pretty=on"], "daemonize": [""], "pidfile": ["/pid"], "runas": ["nobody"],
    "chroot": ["/root"], "sandbox": ["off"], "msg": ["timestamp=on,guest-name=on"],
    "qtest": ["unix:/t,server,nowait"],
    "qtest-log": ["/tl"], "S": [""], "no-reboot": [""], "no-shutdown": [""],
    "action": ["reboot=shutdown,shutdown=pause"], "d": ["ide,pci"], "D": ["/d.log"], "trace": ["io", "mmio"],
  ]
  /// What is not about a machine.
  static let others: Set<String> = ["readconfig", "writeconfig", "print-config", "version"]

  static func arguments(_ name: String) -> [String] {
    (values[name] ?? []).flatMap { value in ["-\(name)"] + (value.isEmpty ? [] : [value]) }
  }

  /// What an option needs to be of use.
  static let needs: [String: [String]] = [
    "device": ["drive", "chardev"], "drive": ["device", "chardev"], "blockdev": ["blockdev-device"],
    "serial": ["chardev"], "mon": ["chardev"], "append": ["kernel"], "initrd": ["kernel"],
  ]
}

@Suite struct ConfigurationFileTests {
  private func build(_ arguments: [String]) throws -> MachineConfiguration {
    let joined = OptionTable.joined(try OptionTable.split(arguments))
    var builder = ConfigurationBuilder(try Martlet.parse(joined))
    return try builder.build()
  }

  private func arguments(for name: String) -> [String] {
    let needed = (OptionSamples.needs[name] ?? []).flatMap { other in
      other == "blockdev-device" ? ["-device", "ide-hd,drive=n"] : OptionSamples.arguments(other)
    }
    return needed + OptionSamples.arguments(name)
  }

  @Test func everyOptionHasASample() {
    let names = Set(OptionTable.declarations.map(\.name))
    #expect(names.count > 60)
    #expect(names.subtracting(OptionSamples.values.keys) == OptionSamples.others)
    #expect(Set(OptionSamples.values.keys).isSubset(of: names))
  }

  @Test func secretsAreNotTold() throws {
    let given = try OptionTable.split([
      "-object", "secret,id=s0,data=hunter2", "-object", #"{"qom-type":"secret","id":"s1","data":"hunter3"}"#,
    ])
    let text = try ConfigurationFile.text(given)
    #expect(!text.contains("hunter") && text.contains("[object \"s0\"]"))
    // A machine with another secret is not made by mistake.
    let back = try ConfigurationFile.options(in: text, name: "file")
    #expect(throws: OptionError.self) { try build(OptionTable.joined(back)) }
  }

  @Test func everyOptionGoesThroughAFile() throws {
    let empty = try Martlet.parse([])
    for name in OptionSamples.values.keys.sorted() {
      let given = try OptionTable.split(arguments(for: name))
      let text = try ConfigurationFile.text(given)
      let back = try ConfigurationFile.options(in: text, name: "file")
      #expect(Set(given.map(\.name)) == Set(back.map(\.name)), "\(text)")
      let options = try [given, back].map { try #require(OptionSetters.parse($0, from: empty)) }
      let machines = try options.map { options in
        var builder = ConfigurationBuilder(options)
        return try builder.build()
      }
      #expect(machines[0] == machines[1], "\(text)")
      // What is not in the machine's configuration is in the options.
      for other in [\Martlet.process.daemonize, \Martlet.running.startPaused] {
        #expect(options[0][keyPath: other] == options[1][keyPath: other])
      }
      for other in [\Martlet.process.pidFile, \.process.runAs, \.process.chroot, \.running.logFile] {
        #expect(options[0][keyPath: other] == options[1][keyPath: other])
      }
      let prefixes = try zip(options, machines).map { options, machine in
        var builder = ConfigurationBuilder(options)
        builder.configuration = machine
        return "\(try builder.messagePrefix())"
      }
      #expect(prefixes[0] == prefixes[1])
    }
  }

  /// The parser and the tables of these tests agree.
  @Test func theParserUnderstandsAllOptions() throws {
    let given = try OptionSamples.values.keys.sorted().flatMap {
      try OptionTable.split(OptionSamples.arguments($0))
    }
    let parsed = try Martlet.parse(OptionTable.joined(given))
    let set = try #require(OptionSetters.parse(given, from: try Martlet.parse([])))
    #expect("\(parsed)" == "\(set)")
  }

  @Test func aFileOfQEMU() throws {
    let text = #"""
      # qemu config file

      [drive "d"]
        media = "disk"
        if = "none"
        file = "/disk,with,commas.img"
        format = "raw"

      [machine]
        type = "pc-i440fx-7.2"
        accel = "kvm"
      [memory]
        size = "1024"
      [smp-opts]
        cpus = "2"
      [boot-opts]
        strict = "on"
      [device "disk0"]
        driver = "ide-hd"
        drive = "d"
        bus = "ide.0"
        unit = "0"
      [chardev "m"]
        backend = "socket"
        path = "/m"
        server = "on"
        wait = "off"
      [mon "monitor"]
        chardev = "m"
        mode = "control"
      [global]
        driver = "VGA"
        property = "vgamem_mb"
        value = "32"
      [name]
        guest = "fred"
      [martlet]
        serial = "null"
        serial = "none"
        nodefaults = "off"   # a remark
        kernel = ""
        append = "say ""hello"""
      """#
    let machine = try build(OptionTable.joined(try ConfigurationFile.options(in: text, name: "x")))
    #expect(machine.drives.map(\.file) == ["/disk,with,commas.img"] && machine.drives[0].deviceID == "disk0")
    #expect(machine.memoryByteCount == 1 << 30 && machine.topology.count == 2 && machine.boot.isStrict)
    #expect(machine.accelerators == [.kvm] && machine.name == "fred" && machine.vga?.memoryMegabytes == 32)
    #expect(machine.serials == ["null", nil] && machine.monitors.count == 1)
    #expect(machine.firmware.commandLine == "say \"hello\"")
  }

  /// The wording is with line numbers.
  @Test(arguments: [
    ("[machin]", "x:1: there is no section [machin]; did you mean 'machine'?"),
    ("[machine", "x:1: a section"),
    ("[]", "x:1: a section"), ("\n\nm = \"1\"", "x:3: 'm' is in no section"),
    ("[memory]\nsize = 1", "x:2: the value of"),
    ("[memory]\nsize \"1\"", "x:2: a value is written"), ("[memory]\nsize = \"1", "has no end"),
    ("[drive \"a]", "has no end"), ("[martlet]\nmm = \"1\"", "x:2: there is no option 'mm'"),
    ("[martlet]\nS = \"maybe\"", "must be on or off"),
    ("[martlet]\nreadconfig = \"x\"", "there is no option"),
    ("[memory]\nsize = \"1\" x", "something behind"),
  ])
  func mistakes(_ text: String, _ expected: String) {
    let error = #expect(throws: OptionError.self) { try ConfigurationFile.options(in: text, name: "x") }
    #expect(error?.description.contains(expected) == true, "\(error as Any)")
  }

  @Test func optionsBeforeAndBehindAFile() throws {
    let path = "/tmp/martlet-config-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    defer { unlink(path) }
    try HostFile.write("[memory]\nsize = \"100\"\n[martlet]\ncdrom = \"/cd\"", to: path, option: "test")
    func memory(_ arguments: String...) throws -> UInt64 {
      try build(try ConfigurationFile.expanding(arguments)).memoryByteCount >> 20
    }
    #expect(try memory("-m", "200", "-readconfig", path) == 100)
    #expect(try memory("-readconfig", path, "-m", "200") == 200)
    #expect(try memory("--readconfig=\(path)") == 100)
    #expect(throws: OptionError.self) { try memory("-readconfig", "/nonexistent") }
    #expect(throws: OptionError.self) { try memory("-readconfig") }
  }

  @Test func valuesThatBeginWithADash() throws {
    #expect(try build(["-kernel", "/k", "-append", "-v"]).firmware.commandLine == "-v")
    #expect(throws: OptionError.self) { try OptionTable.split(["-append"]) }
    #expect(throws: OptionError.self) { try OptionTable.split(["-apend", "x"]) }
    #expect(throws: OptionError.self) { try OptionTable.split(["a.img", "b.img"]) }
  }
}

/// Whatever a person or toolstack writes: an error or a machine, never a trap.
@Suite struct OptionFuzzTests {
  @Test func randomOptions() {
    let seed = UInt64.random(in: 0 ... .max)
    print("option fuzz seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let pieces = [
      ",", "=", ",,", "\"", "{", "}", ":", "[", "]", "-", "0", "18446744073709551616", "-1", "0x",
      "999999999999", "on",
      "off", "é", "\0", "\n", "id=", "file=", "driver=", "type=", " ", "no", "a", "help", "1T", "1e400", "..",
      "%", "\\",
    ]
    let names = OptionSamples.values.keys.sorted()
    var machines = 0
    guard let empty = try? Martlet.parse([]) else { return }
    for _ in 0..<2000 {
      var given: [OptionTable.Given] = []
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let name = names.randomElement(using: &random) ?? "m"
        var text = Array(OptionSamples.values[name]?.randomElement(using: &random) ?? "")
        if text.isEmpty {
          given.append(OptionTable.Given(name: name, value: nil))
          continue
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
          let place = Int.random(in: 0...text.count, using: &random)
          if Bool.random(using: &random), place < text.count {
            let end = Int.random(in: place...min(text.count, place + 6), using: &random)
            text.removeSubrange(place..<end)
          } else {
            text.insert(contentsOf: pieces.randomElement(using: &random) ?? "", at: place)
          }
        }
        given.append(OptionTable.Given(name: name, value: String(text)))
      }
      guard let options = OptionSetters.parse(given, from: empty) else { return }
      var builder = ConfigurationBuilder(options)
      guard let configuration = try? builder.build() else { continue }
      machines += 1
      _ = configuration.description
      _ = try? builder.messagePrefix()
      // What makes a machine makes it by way of a file as well.
      guard let text = try? ConfigurationFile.text(given) else {
        Issue.record("no file for \(given)")
        continue
      }
      #expect(throws: Never.self, "\(given)\n\(text)") {
        let back = try ConfigurationFile.options(in: text, name: "fuzz")
        var again = ConfigurationBuilder(try #require(OptionSetters.parse(back, from: empty)))
        #expect(try again.build() == configuration, "\(given)\n\(text)")
      }
    }
    #expect(machines > 0)
  }

  @Test func randomFiles() {
    let seed = UInt64.random(in: 0 ... .max)
    print("configuration file fuzz seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "[", "]", "\"", "=", "\n", " ", "#", "machine", "martlet", "drive", "type", "key = \"value\"\n",
      "[drive \"x\"]\n",
      "[martlet]\n", "S = \"on\"\n", "é", "\0", "\r\n", ",",
    ]
    for _ in 0..<3000 {
      let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in
        pieces.randomElement(using: &random) ?? ""
      }
      _ = try? ConfigurationFile.options(in: text.joined(), name: "fuzz")
    }
  }
}
