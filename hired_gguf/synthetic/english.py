"""The English words that a synthetic vocabulary holds whole, most needed first."""

WORDS = """
USER ASSISTANT What does the sign say is in this image a of and are how many there on it to
Describe color Answer Read text Which where picture page word yes no red blue
A chat between curious human user an artificial intelligence assistant The gives helpful detailed polite
answers question questions with using single phrase short briefly shown can you see What's
I he she they we his her their its our your my me him them us one two three four five six seven eight nine
ten was were be been being has have had do did done will would could should may might must not or but if
then than that these those who whom whose why when which what for from at by into onto over under above
below near behind front left right top bottom middle center side between inside outside around through
across along against about as so such very too also just only even more most less least much some any all
each every both either neither other another same different new old young big small large little long tall
wide narrow high low deep thick thin heavy light dark bright clear open closed full empty hot cold warm wet
dry clean dirty good bad best better worst worse right wrong true false first second third last next
white black green yellow orange purple pink brown gray grey gold silver color colors colour
man woman boy girl child children person people baby dog cat bird horse cow sheep fish animal animals car
cars bus truck train plane boat ship bike bicycle motorcycle road street bridge building house home room
door window wall floor roof table chair bed desk book books paper pen letter letters number numbers
name names title line lines word words sentence paragraph date time day week month year today yesterday
tomorrow morning night clock hour minute watch phone computer screen keyboard mouse camera photo photograph
image images picture pictures sign signs label logo brand store shop market restaurant menu price total
cost amount dollar dollars percent value values chart graph table figure diagram map plot axis bar legend
water river lake sea ocean beach sand mountain hill tree trees flower flowers grass leaf leaves forest sky
cloud clouds sun moon star stars rain snow wind fire smoke earth stone rock metal wood glass plastic cloth
shirt pants dress hat shoe shoes coat jacket helmet glasses bag box bottle cup coffee tea plate bowl knife
fork spoon food bread cheese meat rice apple banana orange cake pizza fruit vegetable milk juice beer wine
head face eye eyes ear nose mouth hair hand hands arm arms leg legs foot feet body heart
go goes going gone went come comes coming came get gets got give given gave take takes taken took make makes
made making put puts say says said saying tell tells told ask asks asked answer read reads reading write
writes written wrote look looks looking looked see sees seen saw watch find finds found show shows think
know knows known knew want wants need needs use uses used work works play plays playing run runs running
walk walks walking stand stands standing sit sits sitting lie lying hold holds holding wear wears wearing eat
eats eating drink drinks drinking drive drives driving ride rides riding fly flies flying jump jumping sleep
sleeping smile smiling talk talking point pointing turn turns stop stops start starts begin end ends move
moves moving keep keeps let leave try call called help helps like likes love live lives seem seems appear
appears contain contains describe describes explain list count compare choose identify mean means
What Where When Who Whose Why How Which Is Are Was Were Do Does Did Can Could Should Would Will Has Have
The This That These Those There Here It In On At To For From With And Or But If Yes No Not Please Tell Give
List Count Name Read Write Explain Describe Compare Find Look Answer Question Options Option Choose Provide
Image Picture Context Text System Human Assistant Note True False Based According Let You Your He She They We
able area back background based black city common company corner country course detail details edge
event example expression fact family foreground friend game group hint history idea information
kind language law life local main million moment money nothing number object objects order own
pair part parts party pattern place places position possible power present problem process program public
rather real really reason region report result row rows scene school season service shape shapes
since size small something sound space special state still story style surface system team texture thing
things type types usually view visible voice war way ways weather while whole within without world
"""
