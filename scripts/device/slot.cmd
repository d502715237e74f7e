# U-Boot: which slot is started. Included by every board's boot script, which sets part_state before
# and has devtype and devnum from U-Boot. Leaves slot (a or b) and other_slot. The state is two raw
# blocks, written in turn and before the start: src/service/firmware/slots.ts has the rule and the form.
# No file system is ever written here.

part start ${devtype} ${devnum} ${part_state} cg_start
setexpr cg_copy ${kernel_addr_r} + 1000
setexpr cg_crc ${kernel_addr_r} + 11fc
setexpr cg_sum ${kernel_addr_r} + 2000
setenv cg_names curvegate_sequence curvegate_slot curvegate_tries_a curvegate_tries_b
setenv cg_newest
${devtype} dev ${devnum}

# The valid copy with the highest sequence; 0 and 400 are blocks of 512 bytes.
for cg_at in 0 400; do
	setexpr cg_block ${cg_start} + ${cg_at}
	mw.b ${cg_copy} 0 200
	if ${devtype} read ${cg_copy} ${cg_block} 1; then
		crc32 ${cg_copy} 1fc ${cg_sum}
		if cmp.b ${cg_crc} ${cg_sum} 4; then
			env import -t ${cg_copy} 1fc ${cg_names}
			setenv cg_better yes
			if test -n "${cg_newest}"; then
				if itest ${curvegate_sequence} <= ${cg_newest}; then setenv cg_better; fi
			fi
			if test -n "${cg_better}"; then
				setenv cg_newest ${curvegate_sequence}
				setenv cg_slot ${curvegate_slot}
				setenv cg_tries_a ${curvegate_tries_a}
				setenv cg_tries_b ${curvegate_tries_b}
				setenv cg_found ${cg_at}
			fi
		fi
	fi
done
if test -z "${cg_newest}"; then
	echo "curvegate: no valid slot state; starting over with slot a"
	setenv cg_newest 0
	setenv cg_slot a
	setenv cg_tries_a 0
	setenv cg_tries_b 0
	setenv cg_found 400
fi

# Both used up: a new round, never an endless one of restarts without a start.
if itest ${cg_tries_a} == 0; then if itest ${cg_tries_b} == 0; then
	echo "curvegate: no slot has tries left; both get new ones"
	setenv cg_tries_a 3
	setenv cg_tries_b 3
fi; fi
setenv slot ${cg_slot}
if test ${slot} = a; then
	if itest ${cg_tries_a} == 0; then setenv slot b; fi
else
	if itest ${cg_tries_b} == 0; then setenv slot a; fi
fi
if test ${slot} = a; then
	setenv other_slot b
	setexpr cg_tries_a ${cg_tries_a} - 1
else
	setenv other_slot a
	setexpr cg_tries_b ${cg_tries_b} - 1
fi

setexpr curvegate_sequence ${cg_newest} + 1
setenv curvegate_slot ${cg_slot}
setenv curvegate_tries_a ${cg_tries_a}
setenv curvegate_tries_b ${cg_tries_b}
env export -t -s 1fc ${cg_copy} ${cg_names}
crc32 ${cg_copy} 1fc ${cg_crc}
if itest ${cg_found} == 0; then setexpr cg_block ${cg_start} + 400; else setenv cg_block ${cg_start}; fi
${devtype} write ${cg_copy} ${cg_block} 1
echo "curvegate: slot ${slot}, preferred ${cg_slot}, tries left ${cg_tries_a} and ${cg_tries_b}"
